import type { Clock } from '#usher/domain';
import { type BreakerRecord, RAMP } from './record.js';

/** The least that a ramp lets through, calls a second, for the cluster. */
const LEAST = 10;

/** What a ramping breaker lets through, calls a second, for the cluster. */
export function rampRate(record: Pick<BreakerRecord, 'rateBefore' | 'step'>): number {
  return Math.max(LEAST, record.rateBefore * (RAMP[record.step] ?? 1));
}

/**
 * This process's part of a ramp: a bucket of at most a second's calls. Its upper half is for everybody, the lower one
 * for known viewers only: so they go first, and one who is not let through gets the outage's answer.
 */
export class RampShare {
  #tokens = 1;
  #filledAt: number;

  constructor(private readonly clock: Clock) {
    this.#filledAt = clock.monotonic();
  }

  /** Empties the bucket but for one call: a ramp begins gently. */
  restart(): void {
    this.#tokens = 1;
    this.#filledAt = this.clock.monotonic();
  }

  /** Lets one call through, or not. `rate`: this process's calls a second. */
  admits(rate: number, known: boolean): boolean {
    const now = this.clock.monotonic();
    // Where the part is small a bucket of two still leaves one call for unknown viewers.
    const size = Math.max(2, rate);
    this.#tokens = Math.min(size, this.#tokens + ((now - this.#filledAt) * rate) / 1000);
    this.#filledAt = now;
    const reserve = known ? 0 : size / 2;
    if (this.#tokens - reserve < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
