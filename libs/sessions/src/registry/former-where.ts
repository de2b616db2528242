import type { SessionName } from '#usher/domain';
import { isReplyError } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { memberOf } from './session-names.js';

/**
 * The shard of a session as an earlier version wrote it down: a string of its own for each session, with a TTL of at
 * most some hours. Undefined for nothing and for garbage; rejects as Redis does.
 */
export async function formerWhere(redis: RedisClient, name: SessionName): Promise<string | undefined> {
  try {
    const reply = await redis.call('GET', [`usher:where:${memberOf(name)}`]);
    return typeof reply === 'string' ? reply : undefined;
  } catch (error) {
    if (isReplyError(error, 'WRONGTYPE')) return undefined;
    throw error;
  }
}
