import type { Clock } from '#usher/domain';

/** A clock that stands still until it is told to go. */
export class ManualClock implements Clock {
  #monotonic = 0;
  #now: number;

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  now(): number {
    return this.#now;
  }

  /** Time passes: both readings go on by `ms`. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`time cannot pass by ${ms} ms`);
    this.#monotonic += ms;
    this.#now += ms;
  }

  /** Cluster time is corrected to `now`, forwards or backwards; no time passes. */
  set(now: number): void {
    this.#now = now;
  }
}
