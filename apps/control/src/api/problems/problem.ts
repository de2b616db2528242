/** What can go wrong with a call: its status, its title, and what its caller can do. Codes are stable. */
export const PROBLEMS = {
  'bad-parameter': {
    status: 400,
    title: 'A parameter cannot be used',
    whatToDo: 'Correct it, as `errors` says.',
  },
  'bad-json': {
    status: 400,
    title: 'The body is no JSON',
    whatToDo: 'Send one JSON value, in UTF-8.',
  },
  'bad-request': {
    status: 400,
    title: 'The request could not be understood',
    whatToDo: 'Look at what sends it: its path, its headers, its length.',
  },
  'no-token': {
    status: 401,
    title: 'A token is needed',
    whatToDo:
      'Send the header Authorization: Bearer <token>. One is in the file admin-token of control’s data folder; others are set in control.tokens.',
  },
  'wrong-token': {
    status: 401,
    title: 'The token is not known',
    whatToDo: 'Compare it with the file admin-token of control’s data folder, and with control.tokens.',
  },
  'role-too-low': {
    status: 403,
    title: 'This token may only look',
    whatToDo: 'Use a token with the role operator.',
  },
  'no-such-path': {
    status: 404,
    title: 'There is nothing at this path',
    whatToDo: 'See /api/v1/openapi.json for all paths.',
  },
  'not-found': {
    status: 404,
    title: 'There is no such thing',
    whatToDo: 'Compare the names; they are as the lists show them.',
  },
  'wrong-method': {
    status: 405,
    title: 'This path does not take this method',
    whatToDo: 'Use one of those in the header Allow.',
  },
  'not-now': {
    status: 409,
    title: 'This cannot be done as things are',
    whatToDo: 'Look at what it is about, and try again.',
  },
  'too-large': {
    status: 413,
    title: 'The body is too large',
    whatToDo: 'Send less at once.',
  },
  'wrong-type': {
    status: 415,
    title: 'The body’s type is not taken',
    whatToDo: 'Send JSON, with the header Content-Type: application/json.',
  },
  'bad-body': {
    status: 422,
    title: 'The body cannot be used',
    whatToDo: 'Correct it, as `errors` says.',
  },
  'too-many-logins': {
    status: 429,
    title: 'Too many wrong tokens came from this address',
    whatToDo: 'Wait as long as Retry-After says. Whoever guesses is in the log.',
  },
  'too-large-headers': {
    status: 431,
    title: 'The headers are too large',
    whatToDo: 'Send fewer or shorter ones.',
  },
  internal: {
    status: 500,
    title: 'A fault of Usher’s own',
    whatToDo: 'Report it, with the log lines of this moment.',
  },
  'redis-away': {
    status: 503,
    title: 'Redis is away',
    whatToDo: 'Checks go on without it. Repair Redis and ask again; /api/v1/health says why it is away.',
  },
} as const satisfies Readonly<Record<string, { status: number; title: string; whatToDo: string }>>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One thing that is wrong with a parameter or a member of the body, and what is allowed. */
export interface Flaw {
  /** `limit`; of a body its path: `check.ip`. */
  readonly parameter: string;
  readonly says: string;
}

/** A problem document (RFC 9457), with what to do. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly whatToDo: string;
  readonly errors?: readonly Flaw[];
}

/** A call that ends in a problem document. Its message is for the caller: no secrets, no insides. */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly code: ProblemCode,
    detail: string,
    readonly more: {
      readonly errors?: readonly Flaw[];
      readonly whatToDo?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(detail, { cause: more.cause });
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }

  document(): ProblemDocument {
    const { status, title, whatToDo } = PROBLEMS[this.code];
    return {
      type: `urn:usher:problem:${this.code}`,
      title,
      status,
      detail: this.message,
      whatToDo: this.more.whatToDo ?? whatToDo,
      errors: this.more.errors,
    };
  }
}
