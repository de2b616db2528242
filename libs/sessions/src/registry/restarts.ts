import { encodeName, script } from '#usher/redis';
import type { RedisClient } from '#usher/redis';

const NOTE = script(import.meta.url, './lua/note-replaced-1.lua');

/** Replaced sessions within this time belong to one restart, ms. */
const WINDOW = 300_000;
/** So many replaced sessions are a restart: at least so many, and so large a part of what the edge has. */
const AT_LEAST = 3;
const SHARE = 0.05;

/** Hash: how many sessions of an edge were replaced lately, and since when. */
export function replacedKey(edge: string): string {
  return `usher:replaced:${encodeName(edge)}`;
}

/** Tells that an id of this edge came back with another fingerprint. Rejects as Redis does. */
export async function noteReplaced(redis: RedisClient, edge: string): Promise<void> {
  await redis.run(NOTE, [replacedKey(edge)], [WINDOW]);
}

/** When the edge restarted, as its ids tell: cluster time, ms; undefined where they do not tell. Rejects as Redis does. */
export async function restartedAt(
  redis: RedisClient,
  edge: string,
  sessions: number,
  timeoutMs: number,
): Promise<number | undefined> {
  const reply = await redis.call('HMGET', [replacedKey(edge), 'count', 'first'], timeoutMs);
  const [count, first] = (reply as (string | null)[]).map(Number);
  if (!count || !first || count < Math.max(AT_LEAST, sessions * SHARE)) return undefined;
  return first;
}
