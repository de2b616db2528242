import type { Clock } from '#usher/domain';

/** A backend that says it is busy says so to every call under way: that is one complaint. */
const ONE_COMPLAINT = 1_000;
/** After each such time without a complaint the pace grows by half. */
const RECOVERY_STEP = 5_000;
const GROWTH = 1.5;
/** The slowest pace of one process, calls a second: it must notice that the backend recovers. */
const SLOWEST = 0.5;
/** Calls that may go at once, as a part of a second's. */
const BURST = 0.1;
/** The window in which the unlimited pace is measured, ms. */
const MEASURED = 1_000;

/**
 * Calls a second of this process. A backend that is busy (429, or 503 with Retry-After) halves it; it recovers step by
 * step. Without a configured pace the halves are of what was really sent.
 */
export class Pacer {
  /** The configured pace divided by the halving; Infinity: not paced. */
  #slowed = Infinity;
  #slowedFrom = Infinity;
  #changedAt = -Infinity;
  /** When the next call may go, if none may be early. */
  #nextAt = -Infinity;
  #sent = 0;
  #sentBefore = 0;
  #measuredAt = -Infinity;

  /** `configured`: this process's share of the pace, asked at each call; Infinity: not paced. */
  constructor(
    private readonly clock: Clock,
    private readonly configured: () => number,
  ) {}

  /** Calls a second now; Infinity: not paced. */
  get pace(): number {
    this.#recover();
    return Math.min(this.configured(), this.#slowed);
  }

  /** Reserves the next call: how long to wait for it, ms; undefined where that is longer than `maxWaitMs`. */
  reserve(maxWaitMs: number): number | undefined {
    const now = this.clock.monotonic();
    this.#measure(now);
    const pace = this.pace;
    if (pace !== Infinity) {
      const interval = 1000 / pace;
      const early = Math.max(interval, BURST * 1000) - interval;
      const wait = Math.max(0, this.#nextAt - early - now);
      if (wait > maxWaitMs) return undefined;
      this.#nextAt = Math.max(this.#nextAt, now) + interval;
      this.#sent += 1;
      return wait;
    }
    this.#sent += 1;
    return 0;
  }

  /**
   * For who waits behind everybody: takes what the pace has left, and nothing of what may go early or is reserved. 0: it
   * may go now; else it is to try again so much later, ms.
   */
  reserveLast(): number {
    const ahead = this.#nextAt - this.clock.monotonic();
    if (ahead > 0 && this.pace !== Infinity) return ahead;
    this.reserve(0);
    return 0;
  }

  /** The backend complained. */
  slowDown(): void {
    const now = this.clock.monotonic();
    if (now - this.#changedAt < ONE_COMPLAINT) return;
    this.#measure(now);
    const pace = this.pace;
    const sent = Math.max(this.#sent, this.#sentBefore);
    const from = pace === Infinity ? sent : pace;
    this.#slowedFrom = this.#slowed === Infinity ? Math.max(from, SLOWEST) : this.#slowedFrom;
    this.#slowed = Math.max(SLOWEST, from / 2);
    this.#changedAt = now;
  }

  #recover(): void {
    if (this.#slowed === Infinity) return;
    const steps = Math.floor((this.clock.monotonic() - this.#changedAt) / RECOVERY_STEP);
    if (steps <= 0) return;
    this.#slowed *= GROWTH ** steps;
    this.#changedAt += steps * RECOVERY_STEP;
    // Beyond the pace at which it first complained the limit would only be a memory.
    if (this.#slowed >= this.#slowedFrom * GROWTH) this.#slowed = Infinity;
  }

  #measure(now: number): void {
    const passed = now - this.#measuredAt;
    if (passed < MEASURED) return;
    this.#sentBefore = passed < 2 * MEASURED ? this.#sent : 0;
    this.#sent = 0;
    this.#measuredAt = now;
  }
}
