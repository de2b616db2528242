import { encodeName, knownKey, partOf, script, shardOf } from '#usher/redis';
import type { RedisClient } from '#usher/redis';

const FORGET = script(import.meta.url, './lua/forget-known-1.lua');

/** Nobody at a player waits for it, ms. */
const TIMEOUT = 1_000;

/** Whom a backend allowed as this user, and until when (cluster time, ms) that is forgotten. */
export interface ForgottenViewer {
  readonly backend: string;
  readonly viewerKey: string;
  readonly user: string;
  readonly allowedBefore: number;
}

/** Forgets a known viewer in Redis, unless he was allowed since, or as somebody else. Rejects as Redis does. */
export async function forgetKnown(
  redis: RedisClient,
  shards: number,
  { backend, viewerKey, user, allowedBefore }: ForgottenViewer,
): Promise<boolean> {
  const name = `${backend}/${viewerKey}`;
  const shard = shardOf(name, shards);
  const key = knownKey(shard, backend, partOf(name, shards));
  const args = [encodeName(viewerKey), encodeName(user), Math.round(allowedBefore)];
  return (await redis.run(FORGET, [key], args, TIMEOUT)) === 1;
}
