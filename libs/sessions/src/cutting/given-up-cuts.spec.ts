import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { GivenUpCuts } from './given-up-cuts.js';

let server: RedisProcess;
let redis: RedisClient;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

describe('cuts that were given up', () => {
  it('are listed, the newest first, and no more of them than wanted', async () => {
    const cuts = new GivenUpCuts(redis);
    expect(await cuts.list()).toEqual([]);
    const before = Date.now();
    for (const sessionId of ['1', '2', '3\r\n']) {
      await cuts.keep({ edge: 'astra-1', sessionId, reason: 'kicked', detail: 'x'.repeat(5_000) });
    }
    const [last, second, ...more] = await cuts.list(2);
    expect(last).toMatchObject({ edge: 'astra-1', sessionId: '3\\x0d\\x0a', reason: 'kicked' });
    expect(last!.detail).toHaveLength(512);
    expect(Math.abs(last!.at - before)).toBeLessThan(60_000);
    expect(second).toMatchObject({ sessionId: '2' });
    expect(more).toEqual([]);
  });

  it('are bounded in number and time', async () => {
    const cuts = new GivenUpCuts(redis);
    const one = { edge: 'e', sessionId: '1', reason: 'kicked', detail: '' } as const;
    await Promise.all(Array.from({ length: 1_500 }, () => cuts.keep(one)));
    expect((await cuts.list(5_000)).length).toBeLessThan(1_300);
    expect(Number(await redis.call('TTL', ['usher:{cuts}:given-up']))).toBeGreaterThan(600_000);
  });
});
