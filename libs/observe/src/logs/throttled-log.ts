import type { Clock, Log, LogFields } from '#usher/domain';

export interface ThrottleOptions {
  /** One line per key in this time, ms. */
  readonly every: number;
  /** So many keys are remembered; the one silent for longest is forgotten first. */
  readonly maxKeys: number;
}

interface Seen {
  until: number;
  suppressed: number;
}

/**
 * For what could flood a log: one line per key and time; the next one says how many were left out (`suppressed`).
 * Keys may come from outside: their number is bounded, and beyond the bound a key may speak early.
 */
export class ThrottledLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #options: ThrottleOptions;
  readonly #seen = new Map<string, Seen>();

  constructor(log: Log, clock: Clock, options: ThrottleOptions = { every: 60_000, maxKeys: 1_000 }) {
    if (!(options.every > 0) || !(options.maxKeys >= 1))
      throw new RangeError('every and maxKeys must be positive');
    this.#log = log;
    this.#clock = clock;
    this.#options = options;
  }

  info(key: string, fields: LogFields, message: string): void {
    const suppressed = this.#pass(key);
    if (suppressed !== undefined) this.#log.info(withCount(fields, suppressed), message);
  }

  warn(key: string, fields: LogFields, message: string): void {
    const suppressed = this.#pass(key);
    if (suppressed !== undefined) this.#log.warn(withCount(fields, suppressed), message);
  }

  error(key: string, fields: LogFields, message: string): void {
    const suppressed = this.#pass(key);
    if (suppressed !== undefined) this.#log.error(withCount(fields, suppressed), message);
  }

  /** How many lines of this key were left out, or undefined: leave this one out too. */
  #pass(key: string): number | undefined {
    const now = this.#clock.monotonic();
    const seen = this.#seen.get(key);
    if (seen !== undefined && now < seen.until) {
      seen.suppressed += 1;
      return undefined;
    }
    this.#seen.delete(key);
    if (this.#seen.size >= this.#options.maxKeys) this.#seen.delete(this.#seen.keys().next().value!);
    this.#seen.set(key, { until: now + this.#options.every, suppressed: 0 });
    return seen?.suppressed ?? 0;
  }
}

function withCount(fields: LogFields, suppressed: number): LogFields {
  return suppressed === 0 ? fields : { ...fields, suppressed };
}
