import type { Log } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { TimedRecord } from './timed-record.js';
import type { TimedChanges, TimedTable } from './timed-table.js';

/** News may be lost with whoever would have told it: looked at so often by itself, ms. */
const LOOK_EVERY = 5_000;

/** What a process knows of a table. */
export interface TimedMemory<R extends TimedRecord> {
  /** Takes a change over, unless what is known is newer. True where something changed. */
  apply(record: R): boolean;
  /** Forgets what is over. */
  purge(): void;
  /** Everything that is known and not over, what was lifted included. */
  records(): Iterable<R>;
}

export interface TimedFollowerParts<R extends TimedRecord> {
  readonly table: TimedTable<R>;
  readonly memory: TimedMemory<R>;
  readonly redis: RedisClient;
  readonly log: Log;
  /** Between two looks of its own, ms. Default 5,000. */
  readonly every?: number;
}

/**
 * Keeps this process's memory of a table as the table is: at once when told, and every few seconds. While Redis is
 * away what is known stands; when it is back, or came back empty, what is known is offered back to it.
 */
export class TimedFollower<R extends TimedRecord> {
  #position = 0;
  #epoch = '';
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  /** The connection was lost: a Redis that took over may lack the last changes. */
  #mistrusted = false;

  constructor(private readonly parts: TimedFollowerParts<R>) {}

  start(): void {
    if (this.#timer !== undefined) return;
    const { redis, memory, every = LOOK_EVERY } = this.parts;
    this.#timer = setInterval(() => {
      memory.purge();
      void this.look();
    }, every).unref();
    this.#stopListening = redis.onAway((away) => {
      if (away) this.#mistrusted = true;
      else void this.look();
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stopListening?.();
  }

  /** Reads what changed; resolves when all that had changed at the call is known. Never rejects. */
  look(): Promise<void> {
    if (this.#looking !== undefined) {
      this.#again = true;
      return this.#looking;
    }
    this.#looking = this.#lookUntilQuiet().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookUntilQuiet(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#look();
      } catch (error) {
        this.parts.log.debug({ error }, `${this.parts.table.kind.table} could not be read`);
        return;
      }
    } while (this.#again);
  }

  async #look(): Promise<void> {
    const { table, redis } = this.parts;
    if (redis.away) return;
    const changes = await table.changesAfter(this.#position);
    const isOther = this.#epoch !== '' && changes.epoch !== this.#epoch;
    this.#epoch = changes.epoch;
    if (isOther || this.#mistrusted || changes.last < this.#position) {
      this.#position = 0;
      await this.#offerBack(await this.#follow(await table.changesAfter(0)));
      this.#mistrusted = false;
    } else await this.#follow(changes);
  }

  /** All changes from these on. Returns the names of what they told, each with its age. */
  async #follow(first: TimedChanges<R>): Promise<ReadonlyMap<string, number>> {
    const { table, memory } = this.parts;
    const told = new Map<string, number>();
    for (let changes = first; ; changes = await table.changesAfter(this.#position)) {
      for (const record of changes.records) {
        memory.apply(record);
        told.set(table.kind.nameOf(record), record.since);
      }
      this.#position = changes.position;
      if (changes.complete) return told;
    }
  }

  async #offerBack(told: ReadonlyMap<string, number>): Promise<void> {
    const { table, memory, log } = this.parts;
    let written = 0;
    for (const record of memory.records()) {
      const there = told.get(table.kind.nameOf(record)) ?? 0;
      if (there < record.since && (await table.offer(record))) written += 1;
    }
    if (written > 0) log.info({ written }, `Redis had lost ${table.kind.table}: they were given back`);
  }
}
