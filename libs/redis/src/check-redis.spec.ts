import { startRedis } from '#usher/testing';
import type { RedisProcessOptions } from '#usher/testing';
import { checkRedis, isAtLeast } from './check-redis.js';
import { connectRedis } from './connect-redis.js';

async function findingsOf(options: RedisProcessOptions, url = (port: number) => `redis://127.0.0.1:${port}`) {
  const redis = await startRedis(options);
  const client = connectRedis({ url: url(redis.port), timeout: 1_000 });
  await client.ready();
  const findings = await checkRedis(client);
  await client.close();
  await redis.stop();
  return findings;
}

describe('checkRedis', () => {
  it('finds nothing where all is well', async () => {
    expect(await findingsOf({ persist: true })).toEqual([]);
  });

  it('warns of eviction and of data that a restart loses', async () => {
    const findings = await findingsOf({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    expect(findings.map(({ level }) => level)).toEqual(['warn', 'warn']);
    expect(findings[0]!.text).toContain('allkeys-lru');
    expect(findings[1]!.text).toContain('keeps nothing on disk');
  });

  it('warns of snapshots alone', async () => {
    const findings = await findingsOf({ args: ['--save', '3600 1'] });
    expect(findings.map(({ text }) => text).join()).toContain('snapshots only');
  });

  it('says so where it may not see the configuration', async () => {
    const findings = await findingsOf(
      { args: ['--user', ...'managed on nopass +@all -config ~* &*'.split(' ')] },
      (port) => `redis://managed:any@127.0.0.1:${port}`,
    );
    expect(findings).toHaveLength(1);
    expect(findings[0]!.text).toMatch(/cannot be seen: NOPERM/);
  });

  it('says so where Redis is away', async () => {
    const client = connectRedis({ url: 'redis://127.0.0.1:1' });
    const findings = await checkRedis(client);
    expect(findings).toMatchObject([{ level: 'warn', text: expect.stringContaining('could not be asked') }]);
    await client.close();
  });
});

describe('isAtLeast', () => {
  it('compares versions by number', () => {
    expect(isAtLeast('7.0.0', [7, 0])).toBe(true);
    expect(isAtLeast('10.1', [7, 2])).toBe(true);
    expect(isAtLeast('6.2.14', [7, 0])).toBe(false);
    expect(isAtLeast('7.1.9', [7, 2])).toBe(false);
    expect(isAtLeast('?', [7, 0])).toBe(false);
  });
});
