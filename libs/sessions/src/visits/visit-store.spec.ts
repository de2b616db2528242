import { connectRedis, createSealer } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { VisitStore } from './visit-store.js';

const SHOWN = { query: 'token=abc', token: 'abc', authorization: 'Bearer abc' };

describe('what a viewer showed', () => {
  let server: RedisProcess;
  let redis: RedisClient;
  beforeAll(async () => {
    server = await startRedis();
    redis = connectRedis({ url: server.url, timeout: 1_000 });
    await redis.ready();
  });
  afterAll(async () => {
    await redis.close();
    await server.stop();
  });
  const storeOf = (secret = 'one secret of this test'): VisitStore =>
    new VisitStore(redis, createSealer([secret]));

  it('is found by other gateways, the newest only', async () => {
    await storeOf().keep('v1', { query: 'token=old' }, 60_000);
    await storeOf().keep('v1', SHOWN, 60_000);
    expect(await storeOf().find('v1')).toEqual(SHOWN);
    expect(await storeOf().find('v2')).toBeUndefined();
  });

  it('lies in Redis sealed, for its time, and opens nowhere else', async () => {
    await storeOf().keep('v3', SHOWN, 60_000);
    const sealed = String(await redis.call('GET', ['usher:visit:v3']));
    expect(sealed).not.toContain('abc');
    expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toContain('abc');
    const left = Number(await redis.call('PTTL', ['usher:visit:v3']));
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
    await redis.call('SET', ['usher:visit:v4', sealed, 'PX', 60_000]);
    expect(await storeOf().find('v4')).toBeUndefined();
    expect(await storeOf('another secret of this test').find('v3')).toBeUndefined();
  });

  it('that is garbage is nobody’s', async () => {
    await redis.call('SET', ['usher:visit:v5', '{"query":"token=abc"}', 'PX', 60_000]);
    expect(await storeOf().find('v5')).toBeUndefined();
  });
});
