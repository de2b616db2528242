import type { Clock } from '#usher/domain';
import type { TimedKind, TimedRecord } from './timed-record.js';

/** The records of one kind that this process knows, by name; what was lifted included until its time is up. */
export class TimedRecords<R extends TimedRecord> {
  readonly #byName = new Map<string, R>();

  constructor(
    private readonly kind: TimedKind<R>,
    private readonly clock: Clock,
  ) {}

  get size(): number {
    return this.#byName.size;
  }

  get(name: string): R | undefined {
    return this.#byName.get(name);
  }

  /** Takes a change over, unless what is known is newer or its time is up. True where it did. */
  take(record: R): boolean {
    const name = this.kind.nameOf(record);
    const known = this.#byName.get(name);
    if (known !== undefined && known.since >= record.since) return false;
    if (record.until <= this.clock.now()) return false;
    this.#byName.set(name, record);
    return true;
  }

  /** Forgets what is over, and says what that was. */
  purge(): readonly R[] {
    const now = this.clock.now();
    const over: R[] = [];
    for (const [name, record] of this.#byName) {
      if (record.until > now) continue;
      this.#byName.delete(name);
      over.push(record);
    }
    return over;
  }

  /** Everything that is not over. */
  *running(): Generator<R> {
    const now = this.clock.now();
    // A copy: the list is walked over awaits, and changes under way.
    for (const record of Array.from(this.#byName.values())) if (record.until > now) yield record;
  }
}
