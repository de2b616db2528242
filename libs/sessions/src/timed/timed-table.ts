import { script } from '#usher/redis';
import type { RedisArg, RedisClient } from '#usher/redis';
import { readTimed, type TimedKind, type TimedRecord } from './timed-record.js';

const PUT = script(import.meta.url, './lua/put-timed-3.lua');
const READ = script(import.meta.url, './lua/read-timed-2.lua');

/** No command of people or jobs is in a hurry, ms. */
const TIMEOUT = 1_000;
/** Changes read at once. */
const PAGE = 500;

/** When a record begins and ends, as the script reads it: until a cluster time, or so long from now. Milliseconds. */
export interface PutTimes {
  readonly since?: number;
  readonly until?: number;
  readonly lasts?: number;
  /** Of a series, each one twice as long. */
  readonly doubled?: { readonly within: number; readonly most: number };
}

/** How a put ended, and the record as it stands. `gone`: nothing to lift, or its time is past. */
export interface Put<R> {
  readonly status: 'held' | 'kept' | 'gone' | 'full';
  readonly record: R | undefined;
}

/** What changed after a change; `complete`: there is nothing after the last of them. */
export interface TimedChanges<R> {
  /** Another one than before: the table was empty in between. '' where there is none. */
  readonly epoch: string;
  /** Of all changes; lower than one that was read: what came after it was lost. */
  readonly last: number;
  /** The last of these. */
  readonly position: number;
  readonly records: readonly R[];
  readonly complete: boolean;
}

/**
 * A table in Redis of records that count until a time: one for the cluster, in three keys of one slot. Every method
 * rejects while Redis is away or late.
 */
export class TimedTable<R extends TimedRecord> {
  readonly #keys: readonly [records: string, order: string, until: string];

  constructor(
    private readonly redis: RedisClient,
    readonly kind: TimedKind<R>,
  ) {
    const records = `usher:{${kind.table}}`;
    this.#keys = [records, `${records}:order`, `${records}:until`];
  }

  /** Gives back what a Redis may have lost. True where it had. */
  async offer(record: R): Promise<boolean> {
    const { nameOf, jsonOf } = this.kind;
    const { status } = await this.put(nameOf(record), 'offer', record, jsonOf(record));
    return status === 'held';
  }

  /** A page of what changed after `position`; 0 reads everything. */
  async changesAfter(position: number): Promise<TimedChanges<R>> {
    const [records, order] = this.#keys;
    const reply = await this.redis.run(READ, [records, order], [position, PAGE], TIMEOUT);
    const [epoch = '', last = '0', ...rows] = reply as string[];
    const changed: R[] = [];
    for (let i = 0; i + 2 < rows.length; i += 3) {
      const record = readTimed(this.kind, rows[i]!, rows[i + 2]!);
      if (record !== undefined) changed.push(record);
    }
    return {
      epoch,
      last: Number(last),
      position: rows.length === 0 ? position : Number(rows.at(-2)),
      records: changed,
      complete: rows.length < 3 * PAGE,
    };
  }

  protected async put(
    name: string,
    mode: 'set' | 'lift' | 'offer',
    { since = 0, until = 0, lasts = 0, doubled }: PutTimes,
    json: string,
  ): Promise<Put<R>> {
    const times = [since, Math.round(until), lasts, doubled?.most ?? 0, doubled?.within ?? 0];
    const args: RedisArg[] = [name, mode, ...times, this.kind.most, json];
    const reply = await this.redis.run(PUT, this.#keys, args, TIMEOUT);
    const [status, record] = reply as [Put<R>['status'], string];
    return { status, record: readTimed(this.kind, name, record) };
  }
}
