import { connectRedis } from '#usher/redis';
import type { RedisProcess } from '#usher/testing';

/** Kinds of keys whose contents have to survive, and those of them whose values do. */
const KINDS = /^usher:(session|alive|user|slots|known|due|sealed|outage|outbox|\{holds\}|\{switches\})[:]?/;
const STEADY = /^usher:(session:|\{holds\}$|\{switches\}$)/;
/** Counted, or by the clock of whoever wrote it; and what marks a table. */
const OWN = /^(checks|openedAt|authorizedUntil|#epoch)$/;

/** Everything that is kept for long in a test's Redis, a text for each, as `usher:session:{07}:astra-1:42 state=active`. */
export async function thingsIn(redis: RedisProcess): Promise<string[]> {
  const client = connectRedis({ url: redis.url, timeout: 5_000 });
  await client.ready();
  const read = (...command: [string, ...(string | number)[]]): Promise<unknown> => {
    const [name, ...args] = command;
    return client.call(name, args, 5_000);
  };
  try {
    const things: string[] = [];
    for (const key of (await read('KEYS', 'usher:*')) as string[]) {
      if (KINDS.test(key)) for (const thing of await contentsOf(key)) things.push(`${key} ${thing}`);
    }
    return things.sort();
  } finally {
    await client.close();
  }

  async function contentsOf(key: string): Promise<string[]> {
    switch (await read('TYPE', key)) {
      case 'hash': {
        const fields = (await read('HGETALL', key)) as string[];
        const pairs = Array.from({ length: fields.length / 2 }, (_, i) => [
          fields[2 * i]!,
          fields[2 * i + 1]!,
        ]);
        return pairs
          .filter(([field]) => !OWN.test(field!))
          .map(([field, value]) => (STEADY.test(key) ? `${field}=${value}` : field!));
      }
      case 'zset':
        return (await read('ZRANGE', key, 0, -1)) as string[];
      case 'stream':
        return ((await read('XRANGE', key, '-', '+')) as [string][]).map(([id]) => id);
      default:
        return ['is there'];
    }
  }
}
