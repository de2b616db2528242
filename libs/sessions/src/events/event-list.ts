import { eventsKey, newestFirst, positionText, readPosition } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { InvalidCursorError } from '../listing/list-position.js';
import { allShards } from '../registry/session-names.js';
import { eventId, lifecycleEvent, type LifecycleEvent } from './lifecycle-event.js';

/** Events looked at for one page. */
const LOOK = 2_000;

export interface EventQuery {
  /** Which of them; all by default. */
  readonly wants?: (event: LifecycleEvent) => boolean;
  /** Written at this time (cluster time, ms) or later; at this time or before. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** 1 or more on a page. */
  readonly limit: number;
  /** `cursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface EventPage {
  /** The newest first. */
  readonly events: readonly LifecycleEvent[];
  /** Of the next page, as long as there may be one. */
  readonly cursor: string | undefined;
}

/**
 * The latest events of all shards, as far as they are kept; nothing is written, and whoever else reads them is not
 * disturbed. A page may be short, or empty, with more to come: it looks at 2,000 events at most. Rejects with
 * InvalidCursorError, or as Redis does.
 */
export async function listEvents(
  redis: RedisClient,
  shards: number,
  query: EventQuery,
  timeout: number,
): Promise<EventPage> {
  const { wants = () => true, since: oldest, until: newest, limit, cursor } = query;
  const before = cursor === undefined ? undefined : readPosition(cursor);
  if (cursor !== undefined && before === undefined)
    throw new InvalidCursorError('no page of events ended there');
  const streams = new Map(allShards(shards).map((shard) => [shard, eventsKey(shard)]));
  const events: LifecycleEvent[] = [];
  let looked = 0;
  for await (const { id, fields, position } of newestFirst(redis, {
    streams,
    before,
    oldest,
    newest,
    timeout,
  })) {
    looked += 1;
    const event = eventOf(position.stream, id, fields);
    if (wants(event)) events.push(event);
    if (events.length >= limit || looked >= LOOK) return { events, cursor: positionText(position) };
  }
  return { events, cursor: undefined };
}

function eventOf(shard: string, id: string, list: readonly string[]): LifecycleEvent {
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < list.length; i += 2) fields.set(list[i]!, list[i + 1]!);
  const event = lifecycleEvent(shard, { id, fields }, undefined);
  return event.type === 'session.opened' ? { ...event, opening: eventId(shard, id) } : event;
}
