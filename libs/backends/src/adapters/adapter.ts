import type { BackendAnswer, Check } from '#usher/domain';

/** What of a check a backend's answer may depend on. */
export type Input = 'query' | 'ip' | 'channel' | 'path' | 'host' | 'userAgent';

export interface AskOptions {
  /** The whole call's time, ms: waiting for a connection, connecting, headers and body. */
  readonly timeoutMs: number;
  /** Nobody wants the answer any longer: the call is cut and `ask` rejects with CallCancelled. */
  readonly signal?: AbortSignal;
  /** The session was allowed before, and is asked about again. Default: it is new. */
  readonly again?: boolean;
}

/** Speaks one backend's protocol. It knows neither breaker nor bulkhead: those stand around it. */
export interface Adapter {
  readonly name: string;
  /** The inputs that its backend sees, without those that the operator declared irrelevant. */
  readonly sees: readonly Input[];
  /** Two checks with equal keys ask the same question: they may share an answer. Holds the query: a secret. */
  questionKey(check: Check): string;
  /**
   * Asks. Whatever the backend or the viewer does is a value; the only rejection is CallCancelled, after `signal`
   * aborted: neither success nor failure, it must never reach a breaker.
   */
  ask(check: Check, options: AskOptions): Promise<BackendAnswer>;
  /** Closes its connections; calls under way end as `unavailable`, because us. */
  close(): Promise<void>;
}

/**
 * The inputs, each with its length before it: no two lists of inputs share one key. An Alta's viewer names his host in
 * his origin, which is sent whole.
 */
export function questionKeyOf(check: Check, sees: readonly Input[]): string {
  let key = '';
  for (const input of sees) {
    key += sized(check[input]);
    if (input === 'host') key += sized(check.origin);
    if (input === 'query') key += ownWords(check);
  }
  return key;
}

/** What only some dialects know beside the query; whether it may be published is another question. */
function ownWords({ token, authorization, referer, protocol, action, dvr }: Check): string {
  if ((token ?? authorization ?? referer ?? protocol ?? action ?? dvr) === undefined) return '';
  const words = [token, authorization, referer, protocol, action, dvr === true ? 'dvr' : ''];
  return words.map((word = '') => sized(word)).join('');
}

export const sized = (value: string): string => `${value.length}:${value}`;

const ALL: readonly Input[] = ['query', 'ip', 'channel', 'path', 'host', 'userAgent'];

/** Throws where two users could share one grant: what carries the credential, the query as a rule, always counts. */
export function seenInputs(
  name: string,
  all: readonly Input[],
  irrelevant: readonly Input[],
  credentialIn: readonly Input[] = ['query'],
): readonly Input[] {
  const wrong = irrelevant.find((input) => credentialIn.includes(input));
  if (wrong !== undefined) {
    const allowed = ALL.filter((input) => !credentialIn.includes(input)).join(', ');
    throw new Error(
      `backends.${name}.irrelevant: the ${wrong} cannot be irrelevant: it carries the credential, and one viewer’s ` +
        `allow would be everybody’s. Allowed: ${allowed}`,
    );
  }
  return all.filter((input) => !irrelevant.includes(input));
}
