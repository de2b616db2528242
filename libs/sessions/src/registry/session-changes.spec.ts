import type { Session } from '#usher/domain';
import { aliveKey, connectRedis, eventsKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { lifecycleEvent } from '../events/lifecycle-event.js';
import type { LifecycleEvent } from '../events/lifecycle-event.js';
import { Reconciler } from '../presence/reconciler.js';
import { refreshUser } from '../refresh/refresh-user.js';
import { aSession } from './for-tests.js';
import { RedisSessionRegistry } from './redis-session-registry.js';
import { RegistryError } from './registry-error.js';
import { homeShardOf, sessionShardOf } from './session-names.js';
import { touchSessions } from './touch-sessions.js';

const SHARDS = 4;
let server: RedisProcess;
let redis: RedisClient;
let clock: ManualClock;
let registry: RedisSessionRegistry;

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

/** What the session's shard tells, in its order. */
async function told(session: Session): Promise<LifecycleEvent[]> {
  const shard = sessionShardOf(session, SHARDS);
  const entries = (await redis.call('XRANGE', [eventsKey(shard), '-', '+'])) as [string, string[]][];
  return entries.map(([id, list]) => {
    const fields = new Map<string, string>();
    for (let i = 0; i + 1 < list.length; i += 2) fields.set(list[i]!, list[i + 1]!);
    return lifecycleEvent(shard, { id, fields }, undefined);
  });
}

async function changes(session: Session): Promise<LifecycleEvent['facts'][]> {
  return (await told(session)).filter(({ type }) => type === 'session.updated').map(({ facts }) => facts);
}

/** A user whose shard is the home shard of the session: it does not move when he becomes known. */
function userAtHome(session: Session): string {
  const home = homeShardOf(session, SHARDS);
  for (let n = 0; ; n += 1) {
    if (sessionShardOf({ ...session, user: `u${n}` }, SHARDS) === home) return `u${n}`;
  }
}

describe('a session that goes on otherwise', () => {
  it('is told of with what it is now and what it was: let in on trust, then allowed', async () => {
    const session = aSession({ state: 'on-trust', source: 'fail-open' });
    await registry.open(session);
    await registry.open({ ...session, state: 'active', source: 'backend' });
    const [updated, ...further] = await changes(session);
    expect(updated).toMatchObject({
      changed: 'state,source',
      stateBefore: 'on-trust',
      sourceBefore: 'fail-open',
      state: 'active',
      source: 'backend',
      presence: 'assumed',
      namespace: 'portal',
      user: '100500',
      name: 'anna',
      channel: 'a001',
      ip: '192.0.2.7',
      backend: 'portal',
      openedAt: new Date(session.openedAt).toISOString(),
    });
    expect(updated).not.toHaveProperty('presenceBefore');
    expect(further).toEqual([]);
  });

  it('is told of where its user becomes known in the same shard', async () => {
    const session = aSession({ user: '', sessionName: '' });
    const user = userAtHome(session);
    await registry.open(session);
    await registry.open({ ...session, user });
    expect(await changes(session)).toMatchObject([{ changed: 'user', user, namespace: 'portal' }]);
  });

  it('is told of between its opening and its end, in the order in which it came about', async () => {
    const session = aSession({ state: 'on-trust', source: 'known', presence: 'seen' });
    await registry.open(session);
    await registry.open({ ...session, state: 'active', source: 'backend' });
    await registry.open({ ...session, state: 'unconfirmed', source: 'stale' });
    await registry.close(session, 'closed-by-edge');
    const events = await told(session);
    expect(events.map(({ type, facts }) => [type, facts['state']])).toEqual([
      ['session.opened', 'on-trust'],
      ['session.updated', 'active'],
      ['session.updated', 'unconfirmed'],
      ['session.closed', 'unconfirmed'],
    ]);
    const ids = events.map(({ id }) => id);
    expect([...ids].sort()).toEqual(ids);
  });

  it('is told of once, however often the same comes, and not at signs of life or for what never turns worse', async () => {
    const session = aSession({ state: 'on-trust', source: 'fail-open', presence: 'seen' });
    const allowed: Session = { ...session, state: 'active', source: 'backend' };
    await registry.open(session);
    await registry.open(allowed);
    await registry.open(allowed);
    await registry.open({ ...allowed, authorizedUntil: Date.now() + 60_000 });
    await registry.open({ ...session, presence: 'assumed', user: '' });
    const signs = [{ name: session, aliveUntil: session.aliveUntil + 60_000 }];
    await touchSessions(redis, registry, sessionShardOf(session, SHARDS), signs);
    expect(await changes(session)).toHaveLength(1);
  });

  it('is told of when its edge lists it, once', async () => {
    const session = aSession({ openedAt: Date.now() - 60_000 });
    await registry.open(session);
    const reconciler = new Reconciler(redis, registry, clock, { life: 3_600_000 });
    const { sessionId: id, channel, ip } = session;
    const listed = [{ id, channel, ip, uptime: 60_000 }];
    await reconciler.reconcile(session.edge, listed);
    await reconciler.reconcile(session.edge, listed);
    expect(await changes(session)).toMatchObject([
      { changed: 'presence', presenceBefore: 'assumed', presence: 'listed', state: 'active', user: '100500' },
    ]);
  });

  it('is told of when its user is refreshed and its backend is to be asked again', async () => {
    const session = aSession();
    await registry.open(session);
    const options = { shards: SHARDS, reusable: ['portal'] };
    await refreshUser(redis, 'portal', '100500', options);
    await refreshUser(redis, 'portal', '100500', options);
    expect(await changes(session)).toMatchObject([
      { changed: 'state', stateBefore: 'active', state: 'unconfirmed', source: 'backend' },
    ]);
  });

  it('holds no secret', async () => {
    const session = aSession({ state: 'on-trust', source: 'fail-open' });
    await registry.open(session);
    await registry.open({ ...session, state: 'active', source: 'backend' });
    const raw = JSON.stringify(await redis.call('XRANGE', [eventsKey(registry.shardOf(session)), '-', '+']));
    const updated = raw.slice(raw.indexOf('session.updated'));
    expect(updated).not.toContain(session.fingerprint);
    expect(updated).not.toContain(session.viewerKey);
  });

  it('changes nothing where it cannot be told of: the next open does both', async () => {
    const session = aSession({ state: 'on-trust', source: 'fail-open' });
    await registry.open(session);
    const events = eventsKey(registry.shardOf(session));
    await redis.call('SET', [events, 'not a stream']);
    await expect(registry.open({ ...session, state: 'active', source: 'backend' })).rejects.toThrow(
      RegistryError,
    );
    expect((await registry.read(session))?.state).toBe('on-trust');
    await redis.call('DEL', [events]);
    await registry.open({ ...session, state: 'active', source: 'backend' });
    expect(await changes(session)).toHaveLength(1);
    expect(await redis.call('ZCARD', [aliveKey(registry.shardOf(session))])).toBe(1);
  });
});
