import type { Hold, HoldKind, HoldOrigin } from '#usher/domain';
import { script } from '#usher/redis';
import type { RedisArg, RedisClient } from '#usher/redis';
import { holdJson, holdName, readHold } from './hold-record.js';
import type { HeldFields, HeldRecord } from './hold-record.js';
import { holdSubject } from './hold-subject.js';

const PUT = script(import.meta.url, './lua/put-hold-3.lua');
const READ = script(import.meta.url, './lua/read-holds-2.lua');

const HOLDS = 'usher:{holds}';
const ORDER = 'usher:{holds}:order';
const UNTIL = 'usher:{holds}:until';

/** No command of people or jobs is in a hurry, ms. */
const TIMEOUT = 1_000;
/** Changes read at once. */
const PAGE = 500;
/** Every process remembers all of them. */
const MOST = 100_000;

/** There are as many holds as there may be. */
export class HoldsFullError extends Error {
  override readonly name = 'HoldsFullError';
}

/** How long a hold lasts: until a cluster time, or so long from now; of a series, each one twice as long. Milliseconds. */
export type HoldTime =
  | { readonly until: number }
  | { readonly lasts: number; readonly doubled?: { readonly within: number; readonly most: number } };

export interface NewHold {
  readonly kind: HoldKind;
  /** In any form that `holdSubject` understands. */
  readonly subject: string;
  readonly effect: Hold['effect'];
  readonly origin: HoldOrigin;
  readonly by: string;
  readonly reason: string;
  readonly time: HoldTime;
}

/** What changed after a change; `complete`: there is nothing after the last of them. */
export interface HoldChanges {
  /** Another one than before: the table was empty in between. '' where there is none. */
  readonly epoch: string;
  /** Of all changes; lower than one that was read: what came after it was lost. */
  readonly last: number;
  /** The last of these. */
  readonly position: number;
  readonly records: readonly HeldRecord[];
  readonly complete: boolean;
}

/** The table of holds in Redis: one for the cluster. Every method rejects while Redis is away or late. */
export class HoldTable {
  constructor(private readonly redis: RedisClient) {}

  /**
   * Sets a hold; one on the same subject is replaced. Returns it as it stands.
   * @throws HoldSubjectError, HoldsFullError; RangeError for a time that is past
   */
  async set(hold: NewHold): Promise<Hold> {
    const { kind, time } = hold;
    const subject = holdSubject(kind, hold.subject);
    const until = 'until' in time ? time.until : 0;
    const lasts = 'lasts' in time ? time.lasts : 0;
    const doubled = 'lasts' in time ? time.doubled : undefined;
    const name = holdName(kind, subject);
    const times = [0, Math.round(until), lasts, doubled?.most ?? 0, doubled?.within ?? 0];
    const [status, record] = await this.#put(name, 'set', times, hold);
    if (status === 'full') throw new HoldsFullError(`there are ${MOST} holds: lift some first`);
    const kept = readHold(name, record);
    if (status !== 'held' || kept === undefined) throw new RangeError('a hold until a time that is past');
    return { ...kept, effect: hold.effect };
  }

  /** Lifts a hold. False where there is none. @throws HoldSubjectError */
  async lift(kind: HoldKind, subject: string, by: string, reason = ''): Promise<boolean> {
    const fields = { effect: 'lifted', origin: 'hand', by, reason } as const;
    const name = holdName(kind, holdSubject(kind, subject));
    const [status] = await this.#put(name, 'lift', [0, 0, 0, 0, 0], fields);
    return status === 'held';
  }

  /** Gives back what a Redis may have lost. True where it had. */
  async offer(record: HeldRecord): Promise<boolean> {
    const times = [record.since, record.until, 0, 0, 0];
    const [status] = await this.#put(holdName(record.kind, record.subject), 'offer', times, record);
    return status === 'held';
  }

  /** A page of what changed after `position`; 0 reads everything. */
  async changesAfter(position: number): Promise<HoldChanges> {
    const reply = await this.redis.run(READ, [HOLDS, ORDER], [position, PAGE], TIMEOUT);
    const [epoch = '', last = '0', ...rows] = reply as string[];
    const records: HeldRecord[] = [];
    for (let i = 0; i + 2 < rows.length; i += 3) {
      const record = readHold(rows[i]!, rows[i + 2]!);
      if (record !== undefined) records.push(record);
    }
    return {
      epoch,
      last: Number(last),
      position: rows.length === 0 ? position : Number(rows.at(-2)),
      records,
      complete: rows.length < 3 * PAGE,
    };
  }

  async #put(
    name: string,
    mode: 'set' | 'lift' | 'offer',
    times: readonly number[],
    fields: HeldFields,
  ): Promise<[status: string, record: string]> {
    const args: RedisArg[] = [name, mode, ...times, MOST, holdJson(fields)];
    return (await this.redis.run(PUT, [HOLDS, ORDER, UNTIL], args, TIMEOUT)) as [string, string];
  }
}
