import { eventsKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { allShards } from '../registry/session-names.js';
import { sessionMark } from './outage-names.js';

/** Events read at once, and in all of a shard: more are not kept. */
const PAGE = 1_000;
const PAGES = 20;
const TIMEOUT = 1_000;

/** How a session ended, as the registry told. */
export interface SessionEnd {
  /** Cluster time, ms. */
  readonly at: number;
  /** Nobody told of it: its time was assumed, and up. */
  readonly assumed: boolean;
}

/**
 * The ends of these sessions (by `sessionMark`) since a time, from the registry's events: what a process that died did not
 * hear of. As far back as events are kept. Rejects while Redis is away or late.
 */
export async function readEnds(
  redis: RedisClient,
  shards: number,
  since: number,
  wanted: ReadonlySet<string>,
): Promise<Map<string, SessionEnd>> {
  const ends = new Map<string, SessionEnd>();
  if (wanted.size === 0) return ends;
  for (const shard of allShards(shards)) {
    let from = String(Math.max(0, Math.floor(since)));
    for (let page = 0; page < PAGES; page += 1) {
      const reply = await redis.call('XRANGE', [eventsKey(shard), from, '+', 'COUNT', PAGE], TIMEOUT);
      const entries = reply as [id: string, fields: string[]][];
      for (const [, fields] of entries) note(fields, wanted, ends);
      const last = entries.at(-1);
      if (last === undefined || entries.length < PAGE) break;
      from = `(${last[0]}`;
    }
  }
  return ends;
}

function note(fields: readonly string[], wanted: ReadonlySet<string>, ends: Map<string, SessionEnd>): void {
  const event: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) event[fields[i]!] = fields[i + 1]!;
  if (event['type'] !== 'session.closed') return;
  const mark = sessionMark(event['session'] ?? '', event['fingerprint'] ?? '');
  if (!wanted.has(mark)) return;
  const assumed = event['reason'] === 'expired' && event['presence'] === 'assumed';
  ends.set(mark, { at: Number(event['at']), assumed });
}
