import { aliveKey, isReplyError } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { allShards, countsKey } from './session-names.js';
import { sessionScript } from './session-script.js';

const RECOUNT = sessionScript('recount-sessions-2');
const PATIENCE = 2_000;

/** How many sessions there are. Those whose time is up count until they are swept. */
export interface SessionCounts {
  readonly total: number;
  /** By `seen`, `listed`, `assumed`. */
  readonly presence: Readonly<Record<string, number>>;
  /** By `active`, `on-trust`, `unconfirmed`, `revoked`. */
  readonly state: Readonly<Record<string, number>>;
}

/** In constant time: the scripts keep the counts with each change. Rejects as Redis does. */
export async function countSessions(redis: RedisClient, shards: number): Promise<SessionCounts> {
  let total = 0;
  const presence: Record<string, number> = {};
  const state: Record<string, number> = {};
  const countShard = async (shard: string): Promise<void> => {
    const [alive, counts] = await Promise.all([
      redis.call('ZCARD', [aliveKey(shard)], PATIENCE),
      redis.call('HGETALL', [countsKey(shard)], PATIENCE),
    ]);
    total += Number(alive);
    const fields = counts as string[];
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const [kind, name = ''] = fields[i]!.split(':');
      const sums = kind === 'presence' ? presence : state;
      sums[name] = (sums[name] ?? 0) + Number(fields[i + 1]);
    }
  };
  await Promise.all(allShards(shards).map(countShard));
  return { total, presence, state };
}

/** Makes the counts of one shard anew from its records. */
export async function recountSessions(redis: RedisClient, shard: string): Promise<void> {
  try {
    await redis.run(RECOUNT, [aliveKey(shard), countsKey(shard)], [], PATIENCE);
  } catch (error) {
    if (!isReplyError(error)) throw error;
  }
}
