import fc from 'fast-check';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, eventually, startRedis, startRedisCluster } from '#usher/testing';
import type { RedisClusterProcess, RedisProcess } from '#usher/testing';
import type { Session } from '#usher/domain';
import { aSession, audit } from './for-tests.js';
import { countSessions } from './session-counts.js';
import { RedisSessionRegistry } from './redis-session-registry.js';
import { allShards, whereKeyOf } from './session-names.js';
import { sweepShard } from './sweeper.js';
import { touchSessions } from './touch-sessions.js';

const SHARDS = 4;

/** Anything that may happen to sessions, in any order and any number of times. */
type Step =
  | { readonly kind: 'open'; readonly session: Session }
  | { readonly kind: 'close'; readonly sessionId: string }
  | { readonly kind: 'revoke'; readonly sessionId: string }
  | { readonly kind: 'touch'; readonly session: Session }
  | { readonly kind: 'die'; readonly session: Session }
  | { readonly kind: 'forget-where'; readonly sessionId: string }
  | { readonly kind: 'sweep' };

const start = Date.now();

const sessions = fc
  .record({
    sessionId: fc.constantFrom('1', '2', 'ä:{}%'),
    fingerprint: fc.constantFrom('one', 'two'),
    user: fc.constantFrom('', 'u1', 'u2', 'u3'),
    channel: fc.constantFrom('a', 'b'),
    state: fc.constantFrom('active', 'on-trust', 'unconfirmed', 'revoked'),
    presence: fc.constantFrom('seen', 'listed', 'assumed'),
    openedAt: fc.integer({ min: start, max: start + 3 }),
    authorizedUntil: fc.constantFrom(0, start + 50_000),
  })
  .map((changes) =>
    aSession({ ...changes, sessionName: changes.user, viewerKey: 'nbswy3dpnbswy3dp' } as Partial<Session>),
  );

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('open' as const), session: sessions }) },
  fc.record({ kind: fc.constant('close' as const), sessionId: fc.constantFrom('1', '2') }),
  fc.record({ kind: fc.constant('revoke' as const), sessionId: fc.constantFrom('1', '2') }),
  fc.record({ kind: fc.constant('touch' as const), session: sessions }),
  fc.record({ kind: fc.constant('die' as const), session: sessions }),
  fc.record({ kind: fc.constant('forget-where' as const), sessionId: fc.constantFrom('1', '2') }),
  fc.record({ kind: fc.constant('sweep' as const) }),
);

async function take(step: Step, redis: RedisClient, registry: RedisSessionRegistry): Promise<void> {
  switch (step.kind) {
    case 'open':
      return registry.open(step.session);
    case 'close':
      await registry.close({ edge: 'astra-1', sessionId: step.sessionId }, 'kicked');
      return;
    case 'revoke':
      await registry.revoke({ edge: 'astra-1', sessionId: step.sessionId }, 'kicked');
      return;
    case 'touch': {
      const sign = { name: step.session, aliveUntil: Date.now() + 7_200_000 };
      await touchSessions(redis, registry, registry.shardOf(step.session), [sign]);
      return;
    }
    case 'die': {
      const key = `usher:alive:{${registry.shardOf(step.session)}}`;
      await redis.call('ZADD', [key, 'XX', 1, `astra-1:${step.session.sessionId}`]);
      return;
    }
    case 'forget-where':
      await redis.call('DEL', [whereKeyOf({ edge: 'astra-1', sessionId: step.sessionId }, SHARDS)]);
      return;
    case 'sweep':
      for (const shard of allShards(SHARDS)) await sweepShard(redis, registry, shard);
  }
}

function newRegistry(redis: RedisClient): RedisSessionRegistry {
  return new RedisSessionRegistry(redis, new ManualClock(Date.now()), { shards: SHARDS });
}

describe('on one Redis', () => {
  let server: RedisProcess;
  let redis: RedisClient;

  beforeAll(async () => {
    server = await startRedis();
    redis = connectRedis({ url: server.url, timeout: 5_000 });
    await redis.ready();
  });

  beforeEach(async () => {
    await redis.call('FLUSHALL', []);
  });

  afterAll(async () => {
    await redis.close();
    await server.stop();
  });

  const keys = async (): Promise<string[]> => (await redis.call('KEYS', ['*'])) as string[];

  it('whatever happens to sessions in any order and number, one after the other or at once, the indexes are right', async () => {
    const steps = fc.array(step, { minLength: 1, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (steps, atOnce) => {
        await redis.call('FLUSHALL', []);
        const registry = newRegistry(redis);
        if (atOnce) await Promise.all(steps.map((step) => take(step, redis, registry)));
        else for (const step of steps) await take(step, redis, registry);
        expect(await audit(redis, await keys())).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('an edge whose sessions stand in parts keeps each in one place, however they come and go', async () => {
    const registry = newRegistry(redis);
    const numbers = fc.array(fc.integer({ min: 0, max: 219 }), { minLength: 100, maxLength: 220 });
    const all = Array.from({ length: 220 }, (_, i) => aSession({ sessionId: String(i), user: 'u1' }));
    await Promise.all(all.map((session) => registry.open(session)));
    await fc.assert(
      fc.asyncProperty(numbers, numbers, async (closed, opened) => {
        await Promise.all([
          ...closed.map((i) => registry.close(all[i]!, 'kicked')),
          ...opened.map((i) => registry.open(all[i]!)),
        ]);
        expect(await audit(redis, await keys())).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it('the opens of one session end in one record, in any order and number', async () => {
    const changes: Partial<Session>[] = [
      { state: 'on-trust', source: 'fail-open', user: '', sessionName: '', openedAt: start },
      { state: 'active', source: 'backend', openedAt: start + 5 },
      { state: 'active', source: 'backend', presence: 'listed', openedAt: start + 7 },
      { state: 'on-trust', source: 'overload', user: '', sessionName: '', openedAt: start + 9 },
    ];
    const order = fc.shuffledSubarray([0, 1, 2, 3, 0, 1, 2, 3], { minLength: 8 });
    await fc.assert(
      fc.asyncProperty(order, async (order) => {
        await redis.call('FLUSHALL', []);
        const registry = newRegistry(redis);
        const aliveUntil = start + 3_600_000;
        for (const i of order) await registry.open(aSession({ ...changes[i], aliveUntil }));
        expect(await registry.find(aSession(), aSession().fingerprint)).toMatchObject({
          session: { state: 'active', source: 'backend', user: '100500', presence: 'listed', aliveUntil },
        });
        expect(await audit(redis, await keys())).toEqual([]);
        expect((await keys()).filter((key) => key.startsWith('usher:session:'))).toHaveLength(1);
      }),
      { numRuns: 40 },
    );
  });

  it('what nobody touches is swept with its reason, in bounded batches, and nothing of it is left', async () => {
    const registry = newRegistry(redis);
    const presences = ['seen', 'listed', 'assumed'] as const;
    for (let i = 0; i < 250; i += 1) {
      await registry.open(aSession({ sessionId: String(i), user: 'u1', presence: presences[i % 3]! }));
    }
    const shard = registry.shardOf(aSession({ user: 'u1' }));
    const members = (await redis.call('ZRANGE', [`usher:alive:{${shard}}`, 0, -1])) as string[];
    for (const member of members) await redis.call('ZADD', [`usher:alive:{${shard}}`, 1, member]);
    expect(await sweepShard(redis, registry, shard, { batches: 1 })).toEqual({ closed: 100, lost: 0 });
    expect(await sweepShard(redis, registry, shard)).toEqual({ closed: 150, lost: 0 });
    expect(await countSessions(redis, SHARDS)).toMatchObject({ total: 0, presence: { seen: 0, listed: 0 } });
    expect((await keys()).filter((key) => !/^usher:(events|counts)/.test(key))).toEqual([]);
    const told = JSON.stringify(await redis.call('XRANGE', [`usher:events:{${shard}}`, '-', '+']));
    expect(told.match(/"reason","idle"/g)).toHaveLength(84);
    expect(told.match(/"reason","expired"/g)).toHaveLength(166);
  });

  it('who went idle is told apart from who was ended: he may come back', async () => {
    const told: string[] = [];
    const registry = new RedisSessionRegistry(redis, new ManualClock(Date.now()), {
      shards: SHARDS,
      onClosed: (names, how) => told.push(...names.map(({ sessionId }) => `${sessionId} ${how}`)),
    });
    const presences = { asked: 'seen', kicked: 'seen', listed: 'listed', alive: 'seen' } as const;
    for (const [sessionId, presence] of Object.entries(presences)) {
      await registry.open(aSession({ sessionId, user: 'u1', presence }));
    }
    const name = { edge: 'astra-1', sessionId: 'kicked' };
    await registry.revoke(name, 'kicked');
    expect(told.splice(0)).toEqual(['kicked ended']);
    const shard = registry.shardOf(aSession({ user: 'u1' }));
    for (const sessionId of ['asked', 'kicked', 'listed']) {
      await redis.call('ZADD', [`usher:alive:{${shard}}`, 1, `astra-1:${sessionId}`]);
    }
    expect(await sweepShard(redis, registry, shard)).toEqual({ closed: 3, lost: 0 });
    expect(new Set(told)).toEqual(new Set(['kicked ended', 'listed ended', 'asked idle']));
    expect(told).toHaveLength(3);
    expect(await sweepShard(redis, registry, shard)).toEqual({ closed: 0, lost: 0 });
  });

  it('records lost by their TTL are unlisted and the counts made right', async () => {
    const registry = newRegistry(redis);
    const shard = registry.shardOf(aSession());
    for (const sessionId of ['1', '2', '3']) await registry.open(aSession({ sessionId }));
    await redis.call('DEL', [`usher:session:{${shard}}:astra-1:2`]);
    await redis.call('ZADD', [`usher:alive:{${shard}}`, 1, 'astra-1:2']);
    expect(await sweepShard(redis, registry, shard)).toEqual({ closed: 0, lost: 1 });
    expect(await countSessions(redis, SHARDS)).toEqual({
      total: 2,
      presence: { assumed: 2 },
      state: { active: 2 },
    });
  });

  it('what lost records leave behind in the indexes of user and channel has an end', async () => {
    const registry = newRegistry(redis);
    const shard = registry.shardOf(aSession());
    await registry.open(aSession());
    await redis.call('DEL', [`usher:session:{${shard}}:astra-1:42`]);
    await redis.call('ZADD', [`usher:alive:{${shard}}`, 1, 'astra-1:42']);
    await sweepShard(redis, registry, shard);
    // But for what is bounded, or lasts as long as the data does.
    const lasting = (await keys()).filter((key) => !/^usher:(events|epoch):/.test(key));
    for (const key of lasting) {
      const life = Number(await redis.call('PTTL', [key]));
      expect([key, life > 0 && life < 4 * 3_600_000]).toEqual([key, true]);
    }
    expect(lasting.some((key) => key.startsWith('usher:user:'))).toBe(true);
  });

  it('a user’s entry that its lost record left behind goes when the user opens the next session', async () => {
    const registry = newRegistry(redis);
    const shard = registry.shardOf(aSession());
    for (const sessionId of ['1', '2']) await registry.open(aSession({ sessionId }));
    await redis.call('DEL', [`usher:session:{${shard}}:astra-1:2`]);
    await redis.call('ZADD', [`usher:alive:{${shard}}`, 1, 'astra-1:2']);
    await sweepShard(redis, registry, shard);
    await registry.open(aSession({ sessionId: '3' }));
    const entries = await redis.call('HKEYS', [`usher:user:{${shard}}:portal/100500`]);
    expect(entries).toEqual(['astra-1:1', 'astra-1:3']);
  });

  it('what lost records leave behind in an index that is renewed all the time goes as others come', async () => {
    const registry = newRegistry(redis);
    const shard = registry.shardOf(aSession());
    const names = Array.from({ length: 300 }, (_, n) => String(n));
    const openAll = async (from: number, to: number): Promise<void> => {
      for (const sessionId of names.slice(from, to)) await registry.open(aSession({ sessionId }));
    };
    await openAll(0, 40);
    for (const sessionId of names.slice(0, 40)) {
      await redis.call('DEL', [`usher:session:{${shard}}:astra-1:${sessionId}`]);
      await redis.call('ZADD', [`usher:alive:{${shard}}`, 1, `astra-1:${sessionId}`]);
    }
    expect(await sweepShard(redis, registry, shard)).toEqual({ closed: 0, lost: 40 });
    await openAll(40, 300);
    // Two of each are looked at, whichever they are: 1 of the 40 is left on average.
    const listed = await redis.call('ZCARD', [`usher:channel:{${shard}}:a001`]);
    const owned = await redis.call('HLEN', [`usher:user:{${shard}}:portal/100500`]);
    for (const size of [Number(listed), Number(owned)]) {
      expect(size).toBeGreaterThanOrEqual(260);
      expect(size).toBeLessThan(275);
    }
  });

  it('a sign of life is no life for who is not there, and renews a record that is half used up', async () => {
    const registry = newRegistry(redis);
    const session = aSession();
    const shard = registry.shardOf(session);
    const aliveUntil = Date.now() + 9_000_000;
    const signs = [
      { name: session, aliveUntil },
      { name: { edge: 'astra-1', sessionId: 'nobody' }, aliveUntil },
    ];
    await registry.open(session);
    expect(await touchSessions(redis, registry, shard, signs)).toEqual([
      { edge: 'astra-1', sessionId: 'nobody' },
    ]);
    expect(await registry.read(session)).toMatchObject({ aliveUntil });
    const own = ['session:{}:astra-1:42', 'user:{}:portal/100500', 'channel:{}:a001'];
    const keysOfShard = own.map((key) => `usher:${key.replace('{}', `{${shard}}`)}`);
    for (const key of [...keysOfShard, whereKeyOf(session, SHARDS)]) {
      expect(Number(await redis.call('PTTL', [key]))).toBeGreaterThan(12_000_000);
    }
    // An earlier sign that comes later takes nothing back.
    await touchSessions(redis, registry, shard, [{ name: session, aliveUntil: aliveUntil - 5_000 }]);
    expect(await registry.read(session)).toMatchObject({ aliveUntil });
  });

  it('reads no key that the session does not name: no script walks the key space', async () => {
    const registry = newRegistry(redis);
    await redis.call('CONFIG', ['RESETSTAT']);
    await registry.open(aSession());
    await registry.read(aSession());
    await registry.close(aSession(), 'kicked');
    for (const shard of allShards(SHARDS)) await sweepShard(redis, registry, shard);
    expect(await server.cli('INFO', 'commandstats')).not.toMatch(/cmdstat_(keys|scan|hscan|zscan)/);
  });
});

describe('on a Redis Cluster of 3 masters', () => {
  let cluster: RedisClusterProcess;
  let redis: RedisClient;

  beforeAll(async () => {
    cluster = await startRedisCluster(3);
    redis = connectRedis({ url: cluster.url, cluster: true, timeout: 5_000 });
    await redis.ready();
  });

  afterAll(async () => {
    await redis.close();
    await cluster.stop();
  });

  it('sessions open, move, are replaced, touched, closed and swept, each script in one slot', async () => {
    const registry = newRegistry(redis);
    const all = Array.from({ length: 60 }, (_, i) => aSession({ sessionId: String(i), user: `u${i % 20}` }));
    for (const session of all.slice(0, 30)) await registry.open({ ...session, user: '', sessionName: '' });
    await Promise.all(all.map((session) => registry.open(session)));
    await Promise.all(all.slice(0, 10).map((session) => registry.open({ ...session, fingerprint: 'next' })));
    for (const session of all.slice(10)) {
      expect(await registry.find(session, session.fingerprint)).toMatchObject({ kind: 'same' });
    }
    for (const session of all.slice(50)) await registry.close(session, 'kicked');
    const shard = registry.shardOf(all[5]!);
    await redis.call('ZADD', [`usher:alive:{${shard}}`, 'XX', 1, 'astra-1:5']);
    expect(await sweepShard(redis, registry, shard)).toEqual({ closed: 1, lost: 0 });
    const keys: string[] = [];
    for (const node of cluster.nodes) keys.push(...(await node.cli('KEYS', '*')).split('\n').filter(Boolean));
    expect(await audit(redis, keys)).toEqual([]);
    expect(await countSessions(redis, SHARDS)).toMatchObject({ total: 49 });
    await eventually(async () => (await registry.read(all[5]!)) === undefined);
  });
});
