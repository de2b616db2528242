import type { Session, SessionState, Source } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { RedisKnownViewers } from '../known/redis-known-viewers.js';
import { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { countSessions } from '../registry/session-counts.js';
import { RenewalStore } from '../renewal/renewal-store.js';
import { forgetKnown } from './forget-known.js';
import { refreshUser } from './refresh-user.js';
import { userTest } from './same-user.js';

const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const HOUR = 3_600_000;
const OPTIONS = { shards: 16, reusable: ['billing'] };
const session = (sessionId: string, part: Partial<Session> = {}): Session => ({
  edge: 'astra-1',
  sessionId,
  fingerprint: `fingerprint-${sessionId}`,
  viewerKey: 'abcdefghijklmnopqrstuvwxyz',
  channel: 'news',
  ip: '192.0.2.7',
  userAgent: 'VLC',
  host: '',
  path: '/news',
  dialect: 'astra',
  backend: 'billing',
  namespace: 'people',
  user: 'anna',
  sessionName: 'Anna',
  state: 'active',
  source: 'backend',
  presence: 'assumed',
  openedAt: Date.now(),
  authorizedUntil: 0,
  aliveUntil: Date.now() + HOUR,
  ...part,
});

let server: RedisProcess;
let redis: RedisClient;
let registry: RedisSessionRegistry;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  registry = new RedisSessionRegistry(redis, clock, { shards: 16 });
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

const stateOf = async (sessionId: string): Promise<SessionState | undefined> =>
  (await registry.read({ edge: 'astra-1', sessionId }))?.state;

describe('a user’s sessions in the registry', () => {
  it('are asked about again where the credential may be used again, and none is ended', async () => {
    const opened = [
      session('1'),
      session('2', { backend: 'portal', viewerKey: 'b'.repeat(26) }),
      session('3', { source: 'known' }),
      session('4', { user: 'bob' }),
      session('5', { namespace: 'others' }),
    ];
    for (const one of opened) await registry.open(one);
    const before = await countSessions(redis, 16);
    const refreshed = await refreshUser(redis, 'people', 'anna', OPTIONS);
    expect(refreshed).toHaveLength(3);
    expect(refreshed).toContainEqual({
      backend: 'billing',
      viewerKey: session('1').viewerKey,
      askedAgain: true,
    });
    expect(refreshed).toContainEqual({ backend: 'portal', viewerKey: 'b'.repeat(26), askedAgain: false });
    expect(await Promise.all(['1', '2', '3', '4', '5'].map(stateOf))).toEqual([
      'unconfirmed',
      'active',
      'active',
      'active',
      'active',
    ]);
    const after = await countSessions(redis, 16);
    expect(after.state).toMatchObject({ active: 4, unconfirmed: 1 });
    expect(after.presence).toEqual(before.presence);
    // Again: nothing more to change, and an allow makes it whole.
    expect(await refreshUser(redis, 'people', 'anna', OPTIONS)).toHaveLength(3);
    expect((await countSessions(redis, 16)).state).toEqual(after.state);
    await registry.open(session('1'));
    expect(await stateOf('1')).toBe('active');
  });

  it('are due at once where they are asked about in the background', async () => {
    const store = new RenewalStore(redis, clock);
    const [mine, other] = [session('1'), session('2', { backend: 'portal' })];
    const shard = registry.shardOf(mine);
    for (const one of [mine, other]) {
      await registry.open(one);
      await store.keep(shard, one, 'sealed', Date.now() + HOUR);
    }
    expect(await store.take(shard, 10)).toEqual([]);
    await refreshUser(redis, 'people', 'anna', OPTIONS);
    expect(await store.take(shard, 10)).toMatchObject([{ name: { sessionId: '1' } }]);
  });

  it.each<[SessionState, Source]>([
    ['on-trust', 'fail-open'],
    ['revoked', 'backend'],
    ['unconfirmed', 'stale'],
  ])('that are %s stay so', async (state, source) => {
    await registry.open(session('1', { state, source }));
    await refreshUser(redis, 'people', 'anna', OPTIONS);
    expect((await redis.call('HGETALL', [await keyOf('1')])) as string[]).toContain(state);
  });

  it('are found by a name too long for a record, as it is listed and as the backend says it', async () => {
    const user = 'x'.repeat(200);
    await registry.open(session('1', { user }));
    const listed = (await registry.read({ edge: 'astra-1', sessionId: '1' }))!.user;
    expect(listed.length).toBeLessThan(65);
    for (const name of [user, listed]) {
      expect(await refreshUser(redis, 'people', name, OPTIONS)).toHaveLength(1);
      expect([user, listed, 'y', ''].map(userTest('people', name))).toEqual([true, true, false, false]);
    }
    expect(['anna', user, ''].map(userTest('people', 'anna'))).toEqual([true, false, false]);
  });
});

async function keyOf(sessionId: string): Promise<string> {
  return (await server.cli('KEYS', `usher:session:*:${sessionId}`)).trim();
}

describe('a known viewer', () => {
  const viewer = { backend: 'portal', viewerKey: 'abcdefghijklmnopqrstuvwxyz', user: 'anna/7' };
  const grant = { user: 'anna/7', sessionName: 'Anna', authorizedUntil: 0 };

  it('is forgotten as this user, unless he was allowed since', async () => {
    const known = new RedisKnownViewers(redis, { shards: 16, knownFor: HOUR });
    await known.remember('portal', viewer.viewerKey, 'fingerprint', grant);
    const forget = (part: object) =>
      forgetKnown(redis, 16, { ...viewer, allowedBefore: Date.now() + 5_000, ...part });
    expect(await forget({ user: 'bob' })).toBe(false);
    expect(await forget({ allowedBefore: Date.now() - 60_000 })).toBe(false);
    expect(await forget({ backend: 'billing' })).toBe(false);
    expect(await known.find('portal', viewer.viewerKey)).toMatchObject({ user: 'anna/7' });
    expect(await forget({})).toBe(true);
    expect(await known.find('portal', viewer.viewerKey)).toBeUndefined();
    expect(await forget({})).toBe(false);
  });
});
