import { startRedis, startRedisCluster } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import type { RedisClient } from './client.js';
import { connectRedis } from './connect-redis.js';
import { eventsKey } from './key-names.js';
import { newestFirst, positionText, readPosition, type NewestFirst } from './newest-first.js';

const SHARDS = ['00', '01', '02'];
const streams = new Map(SHARDS.map((shard) => [shard, eventsKey(shard)]));
let server: RedisProcess;
let redis: RedisClient;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});
beforeEach(() => redis.call('FLUSHALL', []));
afterAll(async () => {
  await redis.close();
  await server.stop();
});

/** `<id>` in a shard. */
const add = (shard: string, id: string): Promise<unknown> =>
  redis.call('XADD', [eventsKey(shard), id, 'type', 'test']);

async function all(query: Partial<NewestFirst> = {}, most = Infinity): Promise<string[]> {
  const found: string[] = [];
  for await (const { position } of newestFirst(redis, { streams, timeout: 5_000, ...query })) {
    found.push(positionText(position));
    if (found.length >= most) break;
  }
  return found;
}

it('the entries of all shards come as one list, the newest first, however few are read at once', async () => {
  for (let at = 1; at <= 40; at += 1) await add(SHARDS[(at * at) % 3]!, `${at}-1`);
  for (const atOnce of [1, 3, 50]) {
    const found = await all({ atOnce });
    expect(found.map((text) => Number(text.split('-')[0]))).toEqual([...Array(40).keys()].map((n) => 40 - n));
  }
});

it('a list goes on where it was left, with nothing twice and nothing left out, of one millisecond too', async () => {
  for (const shard of SHARDS) for (const id of ['5-0', '5-1', '5-2', '6-0']) await add(shard, id);
  const whole = await all();
  expect(whole).toHaveLength(12);
  const pages: string[] = [];
  let before;
  do {
    const page: string[] = await all({ before, atOnce: 2 }, 1);
    pages.push(...page);
    before = page[0] === undefined ? undefined : readPosition(page[0]);
  } while (before !== undefined);
  expect(pages).toEqual(whole);
});

it('a list has bounds in time, whatever its position', async () => {
  for (let at = 1; at <= 6; at += 1) await add('01', `${at}-0`);
  expect(await all({ newest: 4, oldest: 2 })).toEqual(['4-0-01', '3-0-01', '2-0-01']);
  expect(await all({ newest: 9, before: readPosition('4-0-01') })).toHaveLength(3);
  expect(await all({ newest: 2, before: readPosition('4-0-01') })).toEqual(['2-0-01', '1-0-01']);
});

it('no more is read than is asked for', async () => {
  for (let at = 1; at <= 100; at += 1) await add('01', `${at}-0`);
  const commands = async (): Promise<number> =>
    Number(
      /cmdstat_xrevrange:calls=(\d+)/.exec(String(await redis.call('INFO', ['commandstats'])))?.[1] ?? 0,
    );
  const before = await commands();
  expect(await all({ atOnce: 10 }, 15)).toHaveLength(15);
  // Two of the full stream, one of each empty one.
  expect((await commands()) - before).toBe(4);
});

it.each(['', '1-2', '1-2-3', 'x-2-03', '1-2-003', '9'.repeat(16) + '-1-03'])('%p is no position', (text) =>
  expect(readPosition(text)).toBeUndefined(),
);

it('on a Redis Cluster, too', async () => {
  const cluster = await startRedisCluster(3);
  const client = connectRedis({ url: cluster.url, cluster: true, timeout: 5_000 });
  await client.ready();
  for (const shard of SHARDS) await client.call('XADD', [eventsKey(shard), `7-${shard}`, 'type', 'test']);
  const found: string[] = [];
  for await (const { id } of newestFirst(client, { streams, timeout: 5_000 })) found.push(id);
  expect(found).toEqual(['7-2', '7-1', '7-0']);
  await client.close();
  await cluster.stop();
});
