/** How a request ended; a value, since each has its own next step. */
export type Outcome =
  /** The handler's answer; of several values the last. */
  | { readonly kind: 'answered'; readonly data: unknown }
  /** The handler threw; the error is what Nest lets cross. */
  | { readonly kind: 'failed'; readonly error: unknown }
  /** No server took it in time, and none will; `nobody`: no server has listened to this pattern and lane for an hour. */
  | { readonly kind: 'not-taken'; readonly nobody: boolean }
  /** It was taken, and no reply came in time, or its server was not heard of. One may still come, and is ignored. */
  | { readonly kind: 'silent' }
  /** All servers were full until the deadline, or too much waits in this process. */
  | { readonly kind: 'full' }
  /** No connection to Redis, or it broke before the request was taken. */
  | { readonly kind: 'away' };

export const NOT_TAKEN: Outcome = { kind: 'not-taken', nobody: false };
export const NOBODY: Outcome = { kind: 'not-taken', nobody: true };
export const SILENT: Outcome = { kind: 'silent' };
export const FULL: Outcome = { kind: 'full' };
export const AWAY: Outcome = { kind: 'away' };

/** One request under way. */
export interface Request {
  /** A server said that it has it. */
  readonly taken: boolean;
  /** Nobody waits any more: `settle` is not called, and the message is removed unless it was taken already. */
  cancel(): void;
}

/** All that a client knows about a request under way; times by performance.now(). */
export class PendingRequest implements Request {
  taken = false;
  settled = false;
  /** Known once Redis has answered. */
  entryId: string | undefined;
  /** Its removal is under way, or was. */
  withdrawn = false;
  /** When it is to be looked at next. */
  dueAt = 0;
  replyBy = Infinity;
  /** Its server is to be heard of by then. */
  heardBy = Infinity;
  last: unknown;
  onValue: ((value: unknown) => void) | undefined;

  constructor(
    readonly id: number,
    readonly route: string,
    readonly lane: string,
    readonly stream: string,
    public message: string,
    public bytes: Buffer | undefined,
    readonly takeBy: number,
    readonly replyWithinMs: number,
    readonly heardWithinMs: number,
    readonly deadline: number,
    readonly waitWhileFull: boolean,
    readonly settle: (outcome: Outcome) => void,
    private readonly withdraw: (request: PendingRequest) => void,
  ) {}

  /** Keeps what is not needed any more from living as long as the request. */
  sent(): void {
    this.message = '';
    this.bytes = undefined;
  }

  cancel(): void {
    if (!this.settled) this.withdraw(this);
  }
}
