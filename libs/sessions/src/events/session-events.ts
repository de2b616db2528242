import type { SessionName } from '#usher/domain';
import { eventsKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { memberOf } from '../registry/session-names.js';
import { lifecycleEvent, type LifecycleEvent } from './lifecycle-event.js';

/** Events looked through in each shard, at most. */
const LOOK = 2_000;
const AT_ONCE = 500;
const PATIENCE = 2_000;
/** Events are written by Redis' clock, a session's time is its gateway's: so much may be between them, ms. */
const SLACK = 5_000;

/** What is known of one session from its events. */
export interface SessionEvents {
  /** The oldest first. */
  readonly events: readonly LifecycleEvent[];
  /** False: there was more than could be looked through, or than is kept. */
  readonly complete: boolean;
}

/**
 * The events of whoever has this name, in these shards, since the session was opened (cluster time, ms): where it came
 * from another shard, since it was opened there. Rejects as Redis does.
 */
export async function eventsSince(
  redis: RedisClient,
  shards: readonly string[],
  name: SessionName,
  openedAt: number,
): Promise<SessionEvents> {
  const found = await Promise.all(
    shards.map((shard) => lookBack(redis, shard, memberOf(name), openedAt - SLACK)),
  );
  return { events: inOrder(found), complete: found.every(({ complete }) => complete) };
}

/**
 * The events of the last session of this name that ended, in whichever of these shards; undefined where none is known.
 * Rejects as Redis does.
 */
export async function eventsOfEnded(
  redis: RedisClient,
  shards: readonly string[],
  name: SessionName,
): Promise<SessionEvents | undefined> {
  const found = await Promise.all(shards.map((shard) => lookBack(redis, shard, memberOf(name), 0)));
  const all = inOrder(found);
  const end = all.findLastIndex(isEnd);
  if (end < 0) return undefined;
  const events = all.slice(all.slice(0, end).findLastIndex(isEnd) + 1, end + 1);
  return { events, complete: events[0]?.type === 'session.opened' };
}

function isEnd({ type }: LifecycleEvent): boolean {
  return type === 'session.closed';
}

function inOrder(found: readonly SessionEvents[]): LifecycleEvent[] {
  return found.flatMap(({ events }) => events).sort(compare);
}

/** By their ids. Of two shards in one millisecond: a session is opened in the new one before it moves. */
function compare(a: LifecycleEvent, b: LifecycleEvent): number {
  const [at, other] = [partsOf(a), partsOf(b)];
  if (at.ms === other.ms && at.shard !== other.shard)
    return Number(a.type === 'session.moved') - Number(b.type === 'session.moved');
  return a.id < b.id ? -1 : 1;
}

/** `<ms>-<sequence>-<shard>` */
function partsOf({ id }: LifecycleEvent): {
  readonly ms: string | undefined;
  readonly shard: string | undefined;
} {
  const [ms, , shard] = id.split('-');
  return { ms, shard };
}

async function lookBack(
  redis: RedisClient,
  shard: string,
  member: string,
  since: number,
): Promise<SessionEvents> {
  const events: LifecycleEvent[] = [];
  let [to, from] = ['+', Math.max(0, Math.floor(since))];
  for (let looked = 0; looked < LOOK; looked += AT_ONCE) {
    const args = [eventsKey(shard), to, from, 'COUNT', AT_ONCE];
    const entries = (await redis.call('XREVRANGE', args, PATIENCE)) as [string, string[]][];
    let before = from;
    for (const [id, list] of entries) {
      to = `(${id}`;
      const fields = fieldsOf(list, member);
      if (fields === undefined) continue;
      events.push(lifecycleEvent(shard, { id, fields }, undefined));
      // It was opened here, before it was opened there.
      if (fields.get('type') === 'session.moved') before = Math.min(before, openedIn(fields) - SLACK);
    }
    if (entries.length < AT_ONCE && before === from) return { events, complete: true };
    from = Math.max(0, before);
  }
  return { events, complete: false };
}

/** Undefined for what is about another session, or none. */
function fieldsOf(list: readonly string[], member: string): Map<string, string> | undefined {
  if (!list.includes(member)) return undefined;
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < list.length; i += 2) fields.set(list[i]!, list[i + 1]!);
  return fields.get('session') === member ? fields : undefined;
}

function openedIn(fields: ReadonlyMap<string, string>): number {
  const openedAt = Number(fields.get('openedAt'));
  return Number.isFinite(openedAt) ? Math.floor(openedAt) : Number.POSITIVE_INFINITY;
}
