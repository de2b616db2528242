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
      const cut = { edge: 'astra-1', sessionId, reason: 'kicked', detail: 'x'.repeat(5_000) } as const;
      await cuts.keep({ ...cut, outcome: 'given-up' });
    }
    const [last, second, ...more] = await cuts.list(2);
    expect(last).toMatchObject({ edge: 'astra-1', sessionId: '3\\x0d\\x0a', reason: 'kicked' });
    expect(last!.detail).toHaveLength(512);
    expect(Math.abs(last!.at - before)).toBeLessThan(60_000);
    expect(second).toMatchObject({ sessionId: '2' });
    expect(more).toEqual([]);
  });

  it('are kept many at once, and none where there is none', async () => {
    const cuts = new GivenUpCuts(redis);
    const one = { edge: 'astra-9', outcome: 'cannot', reason: 'kicked', detail: 'no' } as const;
    await cuts.keep(...['a', 'b', 'c'].map((sessionId) => ({ ...one, sessionId })));
    await cuts.keep();
    const kept = await cuts.list(3);
    expect(kept.map(({ sessionId, outcome }) => [sessionId, outcome])).toEqual([
      ['c', 'cannot'],
      ['b', 'cannot'],
      ['a', 'cannot'],
    ]);
  });

  it('of version N-1 were told in vain', async () => {
    const fields = ['edge', 'e', 'session', '1', 'reason', 'kicked', 'detail', 'status 500'];
    await redis.call('XADD', ['usher:{cuts}:given-up', '*', ...fields]);
    expect(await new GivenUpCuts(redis).list(1)).toMatchObject([{ sessionId: '1', outcome: 'given-up' }]);
  });

  it('are bounded in number and time', async () => {
    const cuts = new GivenUpCuts(redis);
    const one = { edge: 'e', sessionId: '1', outcome: 'cannot', reason: 'kicked', detail: 'd' } as const;
    await Promise.all(Array.from({ length: 1_500 }, () => cuts.keep(one)));
    expect((await cuts.list(5_000)).length).toBeLessThan(1_300);
    expect(Number(await redis.call('TTL', ['usher:{cuts}:given-up']))).toBeGreaterThan(600_000);
  });
});
