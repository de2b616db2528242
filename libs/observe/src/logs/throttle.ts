import type { Clock } from '#usher/domain';
import { LRUCache } from 'lru-cache';

export interface ThrottleOptions {
  /** One per key in this time, ms. */
  readonly every: number;
  /** So many keys are remembered; the one silent for longest is forgotten first. */
  readonly maxKeys: number;
}

interface Seen {
  until: number;
  suppressed: number;
}

/**
 * For what could flood: one per key and time. Keys may come from outside: their number is bounded, and beyond the bound
 * a key may speak early.
 */
export class Throttle {
  readonly #seen: LRUCache<string, Seen>;

  constructor(
    private readonly clock: Clock,
    private readonly options: ThrottleOptions = { every: 60_000, maxKeys: 1_000 },
  ) {
    if (!(options.every > 0) || !(options.maxKeys >= 1))
      throw new RangeError('every and maxKeys must be positive');
    this.#seen = new LRUCache({ max: options.maxKeys });
  }

  /** How many of this key were left out since the last one; undefined: leave this one out too. */
  pass(key: string): number | undefined {
    const now = this.clock.monotonic();
    const seen = this.#seen.peek(key);
    if (seen !== undefined && now < seen.until) {
      seen.suppressed += 1;
      return undefined;
    }
    this.#seen.set(key, { until: now + this.options.every, suppressed: 0 });
    return seen?.suppressed ?? 0;
  }
}
