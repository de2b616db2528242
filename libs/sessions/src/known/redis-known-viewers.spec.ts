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

/** The one key that there is. */
async function bucket(): Promise<string> {
  return (await server.cli('KEYS', 'usher:known:*')).trim();
}

describe('a known viewer', () => {
  it('is found with its user, name and grant, byte for byte', async () => {
    const before = Date.now();
    await known.remember('portal', viewer, 'abcdefghijklmnopqrstuvwxyz', grant);
    const found = await known.find('portal', viewer);
    expect(found).toMatchObject({ user: '100500', sessionName: grant.sessionName });
    expect(found!.allowedAt).toBeGreaterThanOrEqual(before);
    expect([...found!.grants]).toEqual([['abcdefghijklmnop', 1_790_000_000_000]]);
  });

  it('tells when another user was seen on its device, and keeps that', async () => {
    const anna = { ...grant, user: 'anna', sessionName: 'anna' };
    await known.remember('portal', viewer, 'a'.repeat(26), anna);
    await known.remember('portal', viewer, 'b'.repeat(26), { ...anna, user: '' });
    expect((await known.find('portal', viewer))?.mixedAt).toBeUndefined();
    await known.remember('portal', viewer, 'b'.repeat(26), anna);
    const before = Date.now();
    await known.remember('portal', viewer, 'c'.repeat(26), { ...anna, user: 'bob' });
    await known.remember('portal', viewer, 'd'.repeat(26), { ...anna, user: 'bob' });
    const found = await known.find('portal', viewer);
    expect(found!.mixedAt).toBeGreaterThanOrEqual(before);
    expect(found!.grants.size).toBe(4);
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
    }
    await known.remember('portal', viewer, fingerprint(0), { ...grant, authorizedUntil: 100 });
    await known.remember('portal', viewer, fingerprint(8), { ...grant, authorizedUntil: 8 });
    const found = await known.find('portal', viewer);
    expect([...found!.grants.values()].sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 100]);
  });

  it('that has the name of its user, and may watch as long as the session lives, is some 50 bytes', async () => {
    await known.remember('portal', viewer, 'abcdefghijklmnopqrstuvwxyz', {
      user: '100500',
      sessionName: '100500',
      authorizedUntil: 0,
    });
    const found = await known.find('portal', viewer);
    expect(found).toMatchObject({ user: '100500', sessionName: '100500' });
    expect([...found!.grants]).toEqual([['abcdefghijklmnop', 0]]);
    const key = await bucket();
    expect(await server.cli('HGET', key, viewer)).toMatch(/^1\|\d{13}\|100500\|\|abcdefghijklmnop$/);
    expect(await server.cli('OBJECT', 'ENCODING', key)).toBe('listpack');
  });

  it('is forgotten after `knownFor`, though others are remembered beside it', async () => {
    await known.remember('portal', viewer, 'abcdefghijklmnopqrstuvwxyz', grant);
    const key = await bucket();
    const life = Number(await server.cli('PTTL', key));
    expect(life).toBeGreaterThan(97_100_000);
    expect(life).toBeLessThanOrEqual(97_200_000);
    const old = `1|${Date.now() - 86_400_000}|100500||abcdefghijklmnop`;
    await server.cli('HSET', key, viewer, old, 'other', old, 'garbage', 'x');
    expect(await known.find('portal', viewer)).toBeUndefined();
    // Renewed once an eighth of it is used up, and whoever is too old is taken out then.
    await known.remember('portal', viewer, 'f', grant);
    expect(await server.cli('HLEN', key)).toBe('3');
    await server.cli('PEXPIRE', key, '86300000');
    await known.remember('portal', viewer, 'f', grant);
    expect(await server.cli('HKEYS', key)).toBe(viewer);
    expect(Number(await server.cli('PTTL', key))).toBeGreaterThan(97_100_000);
  });

  it('that a later version remembered is nobody, and no error', async () => {
    await known.remember('portal', viewer, 'abcdefghijklmnopqrstuvwxyz', grant);
    const key = await bucket();
    await server.cli('HSET', key, viewer, `2|${Date.now()}|something|new|of|later`);
    expect(await known.find('portal', viewer)).toBeUndefined();
    await known.remember('portal', viewer, 'abcdefghijklmnopqrstuvwxyz', grant);
    expect((await known.find('portal', viewer))!.grants.size).toBe(1);
  });

  it('is nobody where Redis holds garbage', async () => {
    await known.remember('portal', viewer, 'abcdefghijklmnopqrstuvwxyz', grant);
    const key = await bucket();
    const now = Date.now();
    for (const garbage of ['', 'x', '1|', '1|once|7||f', `1|${now}`, `1|${now}|7|`, `1|${now}|7||f|more`]) {
      await server.cli('HSET', key, viewer, garbage);
      expect(await known.find('portal', viewer)).toBeUndefined();
    }
    await server.cli('HSET', key, viewer, `1|${now}|7||bad:until,fine:7,,plain`);
    expect([...(await known.find('portal', viewer))!.grants]).toEqual([
      ['fine', 7],
      ['plain', 0],
    ]);
    await server.cli('DEL', key);
    await server.cli('SET', key, 'garbage');
    expect(await known.find('portal', viewer)).toBeUndefined();
    await expect(known.remember('portal', viewer, 'f', grant)).rejects.toThrow('WRONGTYPE');
  });
});
