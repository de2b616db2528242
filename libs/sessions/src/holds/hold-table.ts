import type { Hold, HoldKind, HoldOrigin } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import { TimedTable } from '../timed/timed-table.js';
import { holdJson, holdName, HOLDS } from './hold-record.js';
import type { HeldRecord } from './hold-record.js';
import { holdSubject } from './hold-subject.js';

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

/** The table of holds in Redis: one for the cluster. Every method rejects while Redis is away or late. */
export class HoldTable extends TimedTable<HeldRecord> {
  constructor(redis: RedisClient) {
    super(redis, HOLDS);
  }

  /**
   * Sets a hold; one on the same subject is replaced. Returns it as it stands.
   * @throws HoldSubjectError, HoldsFullError; RangeError for a time that is past
   */
  async set(hold: NewHold): Promise<Hold> {
    const name = holdName(hold.kind, holdSubject(hold.kind, hold.subject));
    const { status, record } = await this.put(name, 'set', hold.time, holdJson(hold));
    if (status === 'full') throw new HoldsFullError(`there are ${HOLDS.most} holds: lift some first`);
    if (status !== 'held' || record === undefined) throw new RangeError('a hold until a time that is past');
    return { ...record, effect: hold.effect };
  }

  /** Lifts a hold. False where there is none. @throws HoldSubjectError */
  async lift(kind: HoldKind, subject: string, by: string, reason = ''): Promise<boolean> {
    const json = holdJson({ effect: 'lifted', origin: 'hand', by, reason });
    const { status } = await this.put(holdName(kind, holdSubject(kind, subject)), 'lift', {}, json);
    return status === 'held';
  }
}
