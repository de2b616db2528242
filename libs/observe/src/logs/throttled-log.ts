import type { Clock, Log, LogFields } from '#usher/domain';
import { Throttle, type ThrottleOptions } from './throttle.js';

/** For what could flood a log: one line per key and time; the next one says how many were left out (`suppressed`). */
export class ThrottledLog {
  readonly #log: Log;
  readonly #throttle: Throttle;

  constructor(log: Log, clock: Clock, options?: ThrottleOptions) {
    this.#log = log;
    this.#throttle = new Throttle(clock, options);
  }

  info(key: string, fields: LogFields, message: string): void {
    const suppressed = this.#throttle.pass(key);
    if (suppressed !== undefined) this.#log.info(withCount(fields, suppressed), message);
  }

  warn(key: string, fields: LogFields, message: string): void {
    const suppressed = this.#throttle.pass(key);
    if (suppressed !== undefined) this.#log.warn(withCount(fields, suppressed), message);
  }

  error(key: string, fields: LogFields, message: string): void {
    const suppressed = this.#throttle.pass(key);
    if (suppressed !== undefined) this.#log.error(withCount(fields, suppressed), message);
  }
}

function withCount(fields: LogFields, suppressed: number): LogFields {
  return suppressed === 0 ? fields : { ...fields, suppressed };
}
