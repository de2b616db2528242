import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { RenewalStore } from './renewal-store.js';

const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
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

const named = (sessionId: string) => ({ edge: 'astra-1', sessionId, aliveUntil: Date.now() + HOUR });
const due = async (): Promise<string[]> =>
  (await redis.call('ZRANGE', ['usher:due:{07}', 0, -1])) as string[];

describe('where no control looks', () => {
  it('whoever was due more than a day ago goes, as others come', async () => {
    const store = new RenewalStore(redis, clock);
    for (let n = 0; n < 20; n += 1)
      await store.keep('07', named(`old${n}`), 'sealed', Date.now() - DAY - HOUR);
    await store.keep('07', named('late'), 'sealed', Date.now() - HOUR);
    for (let n = 0; n < 3; n += 1) await store.keep('07', named(`new${n}`), 'sealed', Date.now() + HOUR);
    expect(await due()).toEqual(['astra-1:late', 'astra-1:new0', 'astra-1:new1', 'astra-1:new2']);
  });

  it('no more than so many wait, and those that were due first go', async () => {
    const store = new RenewalStore(redis, clock, 5);
    for (let n = 0; n < 12; n += 1) await store.keep('07', named(String(n)), 'sealed', Date.now() + n * HOUR);
    const waiting = await due();
    expect(waiting.length).toBeLessThanOrEqual(5);
    expect(waiting.at(-1)).toBe('astra-1:11');
  });

  it('all of it ends, and not before its last question', async () => {
    const store = new RenewalStore(redis, clock);
    await store.keep('07', named('1'), 'sealed', Date.now() + 10 * HOUR);
    await store.keep('07', named('2'), 'sealed', Date.now() + HOUR);
    const life = Number(await redis.call('PTTL', ['usher:due:{07}']));
    expect(life).toBeGreaterThan(Number(await redis.call('PTTL', ['usher:sealed:{07}:astra-1:1'])));
    expect(life).toBeLessThan(2 * DAY);
  });
});
