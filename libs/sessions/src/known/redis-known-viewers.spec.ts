import { digest } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { RedisKnownViewers } from './redis-known-viewers.js';

let server: RedisProcess;
let redis: RedisClient;
let known: RedisKnownViewers;
const viewer = digest('viewer', '192.0.2.7', 'VLC');
const grant = { user: '100500', sessionName: '\xd0\x90nna|x', authorizedUntil: 1_790_000_000_000 };

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  known = new RedisKnownViewers(redis, { shards: 16, knownFor: 86_400_000 });
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

describe('a known viewer', () => {
  it('is found with its user, name and grant, byte for byte', async () => {
    const before = Date.now();
    await known.remember('portal', viewer, 'abcdefghijklmnopqrstuvwxyz', grant);
    const found = await known.find('portal', viewer);
    expect(found).toMatchObject({ user: '100500', sessionName: grant.sessionName });
    expect(found!.allowedAt).toBeGreaterThanOrEqual(before);
    expect([...found!.grants]).toEqual([['abcdefghijklmnop', 1_790_000_000_000]]);
  });

  it('of one backend is nobody to another', async () => {
    await known.remember('portal', viewer, 'abcdefghijklmnopqrstuvwxyz', grant);
    expect(await known.find('billing', viewer)).toBeUndefined();
    expect(await known.find('portal', `${viewer}x`)).toBeUndefined();
  });

  it('keeps the 8 newest grants, and one that is allowed again is new', async () => {
    const fingerprint = (i: number): string => `fingerprint-${String(i).padStart(4, '0')}-rest`;
    for (let i = 0; i < 8; i += 1) {
      await known.remember('portal', viewer, fingerprint(i), { ...grant, authorizedUntil: i });
      // The next one is younger by the server's clock.
      const now = Date.now();
      while (Date.now() <= now);
    }
    await known.remember('portal', viewer, fingerprint(0), { ...grant, authorizedUntil: 100 });
    await known.remember('portal', viewer, fingerprint(8), { ...grant, authorizedUntil: 8 });
    const found = await known.find('portal', viewer);
    expect([...found!.grants.values()].sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 100]);
  });

  it('is forgotten after `knownFor`', async () => {
    await known.remember('portal', viewer, 'abcdefghijklmnopqrstuvwxyz', grant);
    const [key] = (await server.cli('KEYS', 'usher:known:*')).split('\n');
    expect(Number(await server.cli('PTTL', key!))).toBeGreaterThan(86_000_000);
    expect(await server.cli('OBJECT', 'ENCODING', key!)).toBe('listpack');
  });

  it('is nobody where Redis holds garbage', async () => {
    await known.remember('portal', viewer, 'abcdefghijklmnopqrstuvwxyz', grant);
    const [key] = (await server.cli('KEYS', 'usher:known:*')).split('\n');
    await server.cli('HSET', key!, 'allowedAt', 'once');
    expect(await known.find('portal', viewer)).toBeUndefined();
    await server.cli('HSET', key!, 'allowedAt', '5', 'g:garbage', 'x', 'g:fine', '7');
    expect([...(await known.find('portal', viewer))!.grants.keys()]).toEqual(['abcdefghijklmnop', 'fine']);
    await server.cli('DEL', key!);
    await server.cli('SET', key!, 'garbage');
    expect(await known.find('portal', viewer)).toBeUndefined();
    await expect(known.remember('portal', viewer, 'f', grant)).rejects.toThrow('WRONGTYPE');
  });
});
