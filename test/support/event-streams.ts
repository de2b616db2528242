import { connectRedis } from '#usher/redis';
import type { RedisProcess } from '#usher/testing';

/** A lifecycle event as it stands in its stream; `id` as webhooks tell it. */
export interface WrittenEvent {
  readonly id: string;
  readonly type: string;
  /** `<edge>:<session id>`; empty where it is about no session. */
  readonly session: string;
  /** All of its fields. */
  readonly facts: Readonly<Record<string, string>>;
}

/** All lifecycle events in a test's Redis, shard by shard in their order. */
export async function eventsIn(redis: RedisProcess, shards = 16): Promise<WrittenEvent[]> {
  const client = connectRedis({ url: redis.url, timeout: 5_000 });
  await client.ready();
  try {
    const all = Array.from({ length: shards }, async (_, part) => {
      const shard = String(part).padStart(2, '0');
      const reply = await client.call('XRANGE', [`usher:events:{${shard}}`, '-', '+'], 5_000);
      return (reply as [id: string, fields: string[]][]).map((entry) => eventOf(shard, entry));
    });
    return (await Promise.all(all)).flat();
  } finally {
    await client.close();
  }
}

/** In shard 07 `1753000000123-4` is told as `1753000000123-000004-07`. */
function eventOf(shard: string, [streamId, fields]: [id: string, fields: string[]]): WrittenEvent {
  const [ms = '', sequence = ''] = streamId.split('-');
  const facts: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) facts[fields[i]!] = fields[i + 1]!;
  const id = `${ms}-${sequence.padStart(6, '0')}-${shard}`;
  return { id, type: facts['type'] ?? '', session: facts['session'] ?? '', facts };
}
