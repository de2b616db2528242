import type { Clock, Session } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import { RedisSessionRegistry } from '#usher/sessions';
import type { RedisProcess } from '#usher/testing';

const clock: Clock = { monotonic: () => performance.now(), now: () => Date.now() };

/**
 * A session as any gateway finds it by its name: its record is there a moment before it can be found, for what says in
 * which shard it lives is written after it.
 */
export async function foundSession(
  redis: RedisProcess,
  sessionId: string,
  edge = 'astra-1',
): Promise<Session | undefined> {
  const client = connectRedis({ url: redis.url, timeout: 5_000 });
  try {
    await client.ready();
    return await new RedisSessionRegistry(client, clock, { shards: 16 }).read({ edge, sessionId });
  } finally {
    await client.close();
  }
}
