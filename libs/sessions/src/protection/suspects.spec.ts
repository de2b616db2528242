import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { SuspectCounts, USERS_AT, type Seen } from './suspects.js';

let server: RedisProcess;
let redis: RedisClient;
let counts: SuspectCounts;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  counts = new SuspectCounts(redis, 16);
});
beforeEach(() => redis.call('FLUSHALL', []));
afterAll(async () => {
  await redis.close();
  await server.stop();
});

const see = (things: readonly string[], part: Partial<Seen> = {}) =>
  counts.count({
    measure: 'deniedTokens',
    subject: '192.0.2.7',
    hasUsers: true,
    things,
    limit: 3,
    window: 600_000,
    ...part,
  });

describe('what is seen of a suspect', () => {
  it('counts once, whoever tells of it, and passes the limit once', async () => {
    expect(await see(['a', 'b'])).toEqual({ count: 2, passed: false, users: 0 });
    expect(await see(['b', 'c'])).toMatchObject({ count: 3, passed: false });
    expect(await see(['d'])).toMatchObject({ count: 4, passed: true });
    expect(await see(['d'])).toMatchObject({ count: 1, passed: false });
  });

  it('is counted apart by measure and by subject', async () => {
    await see(['a', 'b', 'c']);
    expect(await see(['d'], { measure: 'deniedDevices' })).toMatchObject({ count: 1 });
    expect(await see(['d'], { subject: '192.0.2.8' })).toMatchObject({ count: 1 });
  });

  it('is forgotten when its window is over', async () => {
    await see(['a', 'b'], { window: 20 });
    await eventually(async () => expect(await server.cli('KEYS', 'usher:suspect:*')).toBe(''));
    expect(await see(['c'])).toMatchObject({ count: 1 });
  });

  it('comes with the users who are behind an address', async () => {
    await see(['u1', 'u2', 'u3', 'u4', 'u5'], { measure: USERS_AT, limit: 20 });
    expect(await see(['a'])).toMatchObject({ users: 5 });
    expect(await see(['a'], { hasUsers: false, subject: 'portal/anna' })).toMatchObject({ users: 0 });
  });

  it('of an attacker fills no memory: a set ends at its limit and one call’s worth', async () => {
    const users = { measure: USERS_AT, limit: 3 };
    for (let round = 0; round < 5; round += 1) await see([`u${round}a`, `u${round}b`], users);
    expect(await see(['z'], users)).toMatchObject({ count: 4, passed: false });
  });

  it('that was told of by many at once passes the limit once', async () => {
    const all = await Promise.all(Array.from({ length: 7 }, (_, i) => see([`thing-${i}`])));
    expect(all.filter(({ passed }) => passed)).toHaveLength(1);
  });
});
