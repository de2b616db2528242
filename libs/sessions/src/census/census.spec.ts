import type { Session } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { aSession } from '../registry/for-tests.js';
import { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { Census } from './census.js';

const SHARDS = 4;
let server: RedisProcess;
let redis: RedisClient;
let registry: RedisSessionRegistry;
let clock: ManualClock;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});
beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  clock = new ManualClock(Date.now());
  registry = new RedisSessionRegistry(redis, clock, { shards: SHARDS });
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

async function open(count: number, parts: (i: number) => Partial<Session>): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const some = Array.from({ length: Math.min(500, count - from) }, (_, at) => parts(from + at));
    await Promise.all(some.map((one) => registry.open(aSession(one))));
  }
}

const named = (list: readonly { name: unknown; sessions: number }[]) =>
  Object.fromEntries(
    list.map(({ name, sessions }) => {
      const { namespace, user } = name as { namespace: string; user: string };
      return [typeof name === 'string' ? name : `${namespace}/${user}`, sessions];
    }),
  );

describe('the top lists', () => {
  it('are exact where there are few sessions, the longest first', async () => {
    await open(60, (i) => ({
      sessionId: `s${i}`,
      edge: `edge-${i % 3}`,
      channel: i < 40 ? 'news' : 'a b/ä',
      user: i < 10 ? '' : i < 30 ? 'big' : `u${i}`,
    }));
    const top = await new Census(redis, SHARDS, clock).top();
    expect(top).toMatchObject({ total: 60, drawn: 60, at: clock.now() });
    expect(named(top.channels)).toEqual({ news: 40, 'a b/ä': 20 });
    expect(named(top.edges)).toEqual({ 'edge-0': 20, 'edge-1': 20, 'edge-2': 20 });
    expect(top.users[0]).toEqual({ name: { namespace: 'portal', user: 'big' }, sessions: 20 });
    expect(top.users).toHaveLength(31);
  });

  it('draw no more than 2,000, and count exactly what they drew', async () => {
    await open(3_000, (i) => ({
      sessionId: `s${i}`,
      channel: `c${i % 10 === 0 ? 'rare' : i % 3}`,
      edge: i % 4 === 0 ? 'small' : 'large',
      user: i % 5 === 0 ? `sharer-${i % 25}` : `u${i}`,
    }));
    const top = await new Census(redis, SHARDS, clock).top();
    expect(top.total).toBe(3_000);
    expect(top.drawn).toBeLessThan(2_000 + SHARDS);
    expect(named(top.channels)).toEqual({ c0: 900, c1: 900, c2: 900, crare: 300 });
    expect(named(top.users)).toMatchObject({ 'portal/sharer-0': 120, 'portal/sharer-20': 120 });
    expect(named(top.edges)['small']).toBeGreaterThan(600);
    expect(named(top.edges)['small']).toBeLessThan(900);
  });

  it('remember whom they found: he need not be drawn again', async () => {
    await open(10, (i) => ({ sessionId: `s${i}`, user: 'sharer' }));
    const census = new Census(redis, SHARDS, clock);
    await census.top();
    await open(4_000, (i) => ({ sessionId: `more-${i}`, user: `u${i}` }));
    clock.advance(2_000);
    expect((await census.top()).users[0]).toEqual({
      name: { namespace: 'portal', user: 'sharer' },
      sessions: 10,
    });
  });

  it('are made once for all who ask at once', async () => {
    await open(1, () => ({}));
    const census = new Census(redis, SHARDS, clock);
    const [one, other] = await Promise.all([census.top(), census.top()]);
    expect(one).toBe(other);
    expect(await census.top()).toBe(one);
    clock.advance(2_000);
    expect(await census.top()).not.toBe(one);
  });

  it('are empty where nobody watches, and pass over garbage', async () => {
    expect(await new Census(redis, SHARDS, clock).top()).toMatchObject({ total: 0, drawn: 0, channels: [] });
    await open(3, (i) => ({ sessionId: `s${i}`, user: '' }));
    const shard = registry.shardOf(aSession({ sessionId: 's0', user: '' }));
    await redis.call('DEL', [`usher:session:{${shard}}:astra-1:s0`]);
    await redis.call('SET', [`usher:session:{${shard}}:astra-1:s0`, 'garbage']);
    const top = await new Census(redis, SHARDS, clock).top();
    expect(top).toMatchObject({ total: 3, drawn: 2, users: [] });
  });
});
