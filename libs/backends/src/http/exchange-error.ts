/** How far a call had come: waiting for a connection or making one, waiting for the answer's headers, its body. */
export type Phase = 'connect' | 'headers' | 'body';

/** A call that brought no answer. `backendFailure` (failure.ts) says whose fault it was. */
export class ExchangeFailed extends Error {
  override readonly name = 'ExchangeFailed';

  constructor(
    readonly how: 'timeout' | 'broken',
    readonly phase: Phase,
    /** On a connection that had answered before: it may have been closed just as we wrote. */
    readonly reused: boolean,
    cause?: Error,
  ) {
    super(`the call ${how === 'timeout' ? 'timed out' : 'broke'} in phase ${phase}`, { cause });
  }

  get code(): string {
    const code = (this.cause as { code?: unknown } | undefined)?.code;
    return typeof code === 'string' ? code : '';
  }
}

/**
 * Whoever asked does not want the answer any longer (another member of the group allowed, or the caller is gone).
 * Neither success nor failure: it must never reach a breaker. Told apart by its class or its name, `AbortError`.
 */
export class CallCancelled extends Error {
  override readonly name = 'AbortError';

  constructor() {
    super('the call was cancelled');
  }
}
