import { allParts, connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { aSession } from './for-tests.js';
import { RedisSessionRegistry } from './redis-session-registry.js';
import { allShards, whereKeyOf } from './session-names.js';
import { WhereTidier } from './where-tidier.js';

const SHARDS = 4;
let server: RedisProcess;
let redis: RedisClient;
let registry: RedisSessionRegistry;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  registry = new RedisSessionRegistry(redis, new ManualClock(Date.now()), { shards: SHARDS });
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

/** All parts of all shards, once. */
async function tidyAll(): Promise<number> {
  const tidier = new WhereTidier(redis, registry);
  let gone = 0;
  for (const shard of allShards(SHARDS)) {
    for (let i = 0; i < allParts().length; i += 1) gone += await tidier.tidy(shard);
  }
  return gone;
}

async function entries(): Promise<number> {
  let sum = 0;
  for (const key of (await redis.call('KEYS', ['usher:where:*'])) as string[]) {
    sum += Number(await redis.call('HLEN', [key]));
  }
  return sum;
}

describe('`where`', () => {
  it('loses the entries of sessions that are gone, and no other', async () => {
    const sessions = Array.from({ length: 60 }, (_, i) => aSession({ sessionId: `s${i}`, user: `u${i}` }));
    for (const session of sessions) await registry.open(session);
    const before = await entries();
    expect(await tidyAll()).toBe(0);
    expect(await entries()).toBe(before);
    const away = sessions.filter(
      (session) => !whereKeyOf(session, SHARDS).includes(`{${registry.shardOf(session)}}`),
    );
    expect(away).toHaveLength(before);
    const lost = away.slice(0, 20);
    for (const one of lost) {
      await redis.call('DEL', [`usher:session:{${registry.shardOf(one)}}:astra-1:${one.sessionId}`]);
    }
    expect(await tidyAll()).toBe(20);
    expect(await entries()).toBe(before - 20);
    for (const one of away.slice(20)) expect(await registry.read(one)).toMatchObject({ user: one.user });
  });

  it('loses garbage', async () => {
    const key = whereKeyOf(aSession(), SHARDS);
    await redis.call('HSET', [key, 'no-member', '1', 'a:b:c', '1', 'astra-1:1', 'nowhere', 'astra-1:2', '']);
    await redis.call('SET', [`${key}x`, 'garbage']);
    expect(await tidyAll()).toBe(4);
    expect(await redis.call('EXISTS', [key])).toBe(0);
    await redis.call('SET', [key, 'garbage']);
    expect(await tidyAll()).toBe(0);
  });

  it('is looked through part by part, all of it in turn', async () => {
    for (let i = 0; i < 60; i += 1) await registry.open(aSession({ sessionId: `s${i}`, user: `u${i}` }));
    await redis.call('CONFIG', ['RESETSTAT']);
    expect(await tidyAll()).toBe(0);
    const calls = Number(/cmdstat_hgetall:calls=(\d+)/.exec(await server.cli('INFO', 'commandstats'))?.[1]);
    expect(calls).toBe(SHARDS * allParts().length);
  });
});
