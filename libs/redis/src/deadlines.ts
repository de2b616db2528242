import { RedisTimeoutError } from './errors.js';

/** A timer that fires later than this after its time says that the loop was busy, ms. */
const BUSY = 5;

/** One command on its way. */
export class PendingCall {
  settled = false;
  /** The deadline was moved once because the loop was busy. */
  moved = false;
  due = 0;
  timer: NodeJS.Timeout | undefined;

  constructor(
    readonly command: string,
    readonly timeoutMs: number,
    private readonly onReply: (reply: unknown) => void,
    private readonly onError: (error: unknown) => void,
  ) {}

  resolve(reply: unknown): void {
    if (this.settled) return;
    this.#settle();
    this.onReply(reply);
  }

  reject(error: unknown): void {
    if (this.settled) return;
    this.#settle();
    this.onError(error);
  }

  #settle(): void {
    this.settled = true;
    clearTimeout(this.timer);
  }
}

/**
 * The deadlines of commands. A command is late only if its reply was not in the socket either: it is judged after one
 * poll phase, and where the loop itself was busy past the deadline, it gets that time once more, for it may not even
 * have been written. Commands late together count as once.
 */
export class Deadlines {
  #suspects: PendingCall[] = [];

  constructor(private readonly onLate: () => void) {}

  watch(call: PendingCall): void {
    this.#arm(call, call.timeoutMs);
  }

  #arm(call: PendingCall, ms: number): void {
    call.due = performance.now() + ms;
    call.timer = setTimeout(this.#onTime, ms, call);
  }

  readonly #onTime = (call: PendingCall): void => {
    const lag = performance.now() - call.due;
    if (lag > BUSY && !call.moved) {
      call.moved = true;
      this.#arm(call, Math.min(lag, call.timeoutMs));
    } else if (this.#suspects.push(call) === 1) {
      setImmediate(this.#judge);
    }
  };

  readonly #judge = (): void => {
    const suspects = this.#suspects;
    this.#suspects = [];
    let late = false;
    for (const call of suspects) {
      if (call.settled) continue;
      late = true;
      call.reject(new RedisTimeoutError(`${call.command}: no reply from Redis within ${call.timeoutMs} ms`));
    }
    if (late) this.onLate();
  };
}
