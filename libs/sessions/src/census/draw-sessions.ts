import { aliveKey, decodeName, sessionKey, type RedisClient } from '#usher/redis';
import { allShards, nameOf } from '../registry/session-names.js';

/** For one command, ms. */
export const CENSUS_PATIENCE = 2_000;

/** What a drawn session is counted by. */
export interface DrawnSession {
  readonly shard: string;
  readonly edge: string;
  readonly channel: string;
  /** Undefined where nobody is named. */
  readonly user: { readonly namespace: string; readonly user: string } | undefined;
}

export interface Draw {
  /** Of all sessions that there are so many. */
  readonly total: number;
  readonly sessions: readonly DrawnSession[];
}

/**
 * Draws sessions at random, from each shard as its share is; all of them where there are no more. The same few
 * commands however many there are. Rejects as Redis does.
 */
export async function drawSessions(redis: RedisClient, shards: number, count: number): Promise<Draw> {
  const all = allShards(shards);
  const sizes = await Promise.all(
    all.map(async (shard) => Number(await redis.call('ZCARD', [aliveKey(shard)], CENSUS_PATIENCE))),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const drawn = await Promise.all(
    all.map((shard, at) =>
      drawFrom(redis, shard, total <= count ? sizes[at]! : (sizes[at]! * count) / total),
    ),
  );
  return { total, sessions: drawn.flat() };
}

async function drawFrom(redis: RedisClient, shard: string, share: number): Promise<DrawnSession[]> {
  if (share <= 0) return [];
  const reply = await redis.call('ZRANDMEMBER', [aliveKey(shard), Math.ceil(share)], CENSUS_PATIENCE);
  const sessions = await Promise.all((reply as string[]).map((member) => look(redis, shard, member)));
  return sessions.filter((session) => session !== undefined);
}

async function look(redis: RedisClient, shard: string, member: string): Promise<DrawnSession | undefined> {
  const name = nameOf(member);
  if (name === undefined) return undefined;
  const key = sessionKey(shard, name.edge, name.sessionId);
  // Garbage under one key spoils no list.
  const fields = await redis
    .call('HMGET', [key, 'channel', 'user'], CENSUS_PATIENCE)
    .catch(() => [null, null]);
  const [channel, user] = fields as [string | null, string | null];
  if (channel === null) return undefined;
  const slash = user?.indexOf('/') ?? -1;
  return {
    shard,
    edge: name.edge,
    channel: decodeName(channel),
    user:
      slash === -1
        ? undefined
        : { namespace: decodeName(user!.slice(0, slash)), user: decodeName(user!.slice(slash + 1)) },
  };
}
