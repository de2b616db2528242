import type { Session, SessionName } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import fc from 'fast-check';
import { listSessions } from '../listing/list-sessions.js';
import { aSession, audit } from './for-tests.js';
import { healRegistry } from './heal-registry.js';
import { RedisSessionRegistry } from './redis-session-registry.js';
import { countSessions } from './session-counts.js';
import { homeShardOf } from './session-names.js';
import { sweepShard } from './sweeper.js';
import { touchSessions } from './touch-sessions.js';

const SHARDS = 4;
const MINUTE = 60_000;
const name: SessionName = { edge: 'astra-1', sessionId: '42' };
let server: RedisProcess;
let redis: RedisClient;
let registry: RedisSessionRegistry;
let closed: SessionName[];

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  closed = [];
  registry = new RedisSessionRegistry(redis, new ManualClock(Date.now()), {
    shards: SHARDS,
    onClosed: (names) => closed.push(...names),
  });
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

async function keys(): Promise<string[]> {
  return (await redis.call('KEYS', ['*'])) as string[];
}

/** All that was told of sessions, in the order in which it happened. */
async function told(): Promise<Map<string, string>[]> {
  const events: [string, Map<string, string>][] = [];
  for (const key of (await keys()).filter((one) => one.startsWith('usher:events:'))) {
    for (const [id, fields] of (await redis.call('XRANGE', [key, '-', '+'])) as [string, string[]][]) {
      const facts = new Map(fields.flatMap((field, i) => (i % 2 === 0 ? [[field, fields[i + 1]!]] : [])));
      events.push([id, facts as Map<string, string>]);
    }
  }
  return events.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, facts]) => facts);
}

async function kinds(): Promise<string[]> {
  return (await told()).map((facts) => `${facts.get('type')} ${facts.get('reason') ?? ''}`.trim());
}

/** Opened a minute ago. */
function old(changes: Partial<Session> = {}): Session {
  return aSession({ openedAt: Date.now() - MINUTE, ...changes });
}

/** Opened, as it seems, in a minute. */
function next(session: Session, changes: Partial<Session> = {}): Session {
  return { ...session, openedAt: Date.now() + MINUTE, ...changes };
}

describe.each<[string, Partial<Session>]>([
  ['with its user', {}],
  ['at home, without a user', { user: '', sessionName: '' }],
])('a session that is revoked, %s', (_, changes) => {
  it('is found as revoked, stays listed, and counts as such; gateways forget it', async () => {
    const session = old(changes);
    await registry.open(session);
    const revoked = await registry.revoke(name, 'kicked');
    expect(revoked).toEqual({ ...session, state: 'revoked' });
    expect(await registry.find(session, session.fingerprint)).toEqual({
      kind: 'revoked',
      session: revoked,
      revokedAt: expect.any(Number),
    });
    expect(await registry.find(session, 'another')).toEqual({ kind: 'other', session: revoked });
    expect((await listSessions(redis, registry, { state: 'revoked' })).sessions).toEqual([revoked]);
    expect(closed).toEqual([name]);
    const counts = await countSessions(redis, SHARDS);
    expect([counts.total, counts.state['active'], counts.state['revoked']]).toEqual([1, 0, 1]);
    expect(await audit(redis, await keys())).toEqual([]);
  });

  it('is closed after it was cut, unless the same viewer was let in again meanwhile', async () => {
    const session = old(changes);
    await registry.open(session);
    const { fingerprint } = session;
    expect(await registry.close(name, 'kicked', { fingerprint, ifRevoked: true })).toBe(false);
    await registry.revoke(name, 'kicked');
    expect(await registry.close(name, 'kicked', { fingerprint: 'another', ifRevoked: true })).toBe(false);
    await registry.open(next(session));
    expect(await registry.close(name, 'kicked', { fingerprint, ifRevoked: true })).toBe(false);
    expect(await registry.find(session, fingerprint)).toMatchObject({ kind: 'same' });
    await registry.revoke(name, 'kicked');
    expect(await registry.close(name, 'kicked', { fingerprint, ifRevoked: true })).toBe(true);
    expect(await registry.find(session, fingerprint)).toMatchObject({
      kind: 'none',
      revokedAt: expect.any(Number),
    });
    expect(await registry.read(name)).toBeUndefined();
  });

  it.each<[string, (session: Session) => Promise<unknown>]>([
    ['by its edge', () => registry.close(name, 'closed-by-edge')],
    [
      'by its time',
      async (session) => {
        await redis.call('ZADD', [`usher:alive:{${registry.shardOf(session)}}`, 1, 'astra-1:42']);
        await sweepShard(redis, registry, registry.shardOf(session));
      },
    ],
  ])('stays over once it was closed %s, until its viewer is allowed again', async (_, close) => {
    const session = old(changes);
    await registry.open(session);
    await registry.revoke(name, 'kicked');
    await close(session);
    expect(await registry.openSession(session)).toBe('late');
    const healed = await healRegistry([session], redis, registry, new ManualClock(Date.now()));
    expect(healed).toMatchObject({ written: 0 });
    const found = await registry.find(session, session.fingerprint);
    expect(found).toMatchObject({ kind: 'none', revokedAt: expect.any(Number) });
    const again = next(session);
    expect(await registry.openSession(again)).toBe('opened');
    expect(await registry.find(again, again.fingerprint)).toMatchObject({ kind: 'same' });
    // What is offered back once more takes nothing from it.
    expect(await registry.openSession(session)).toBe('late');
    expect(await registry.read(name)).toMatchObject({ openedAt: again.openedAt });
    expect(await audit(redis, await keys())).toEqual([]);
  });

  it('once closed is no other of its name: another viewer is let in', async () => {
    await registry.open(old(changes));
    await registry.revoke(name, 'kicked');
    await registry.close(name, 'kicked');
    const another = old({ ...changes, fingerprint: 'another' });
    expect(await registry.find(another, 'another')).toEqual({ kind: 'none' });
    expect(await registry.openSession(another)).toBe('opened');
  });

  it('once closed is remembered for an hour, among so many of its shard; nobody else is', async () => {
    const revoked = (key: string): boolean => key.startsWith('usher:revoked:');
    await registry.open(old(changes));
    await registry.close(name, 'closed-by-edge');
    expect((await keys()).filter(revoked)).toEqual([]);
    const shard = registry.shardOf(old(changes));
    const older = Array.from({ length: 2_048 }, (_, i) => [i + 1, `astra-1:${i}:f`]).flat();
    await redis.call('ZADD', [`usher:revoked:{${shard}}`, ...older]);
    await registry.open(old(changes));
    await registry.revoke(name, 'kicked');
    await registry.close(name, 'kicked');
    for (const key of (await keys()).filter(revoked)) {
      expect(await redis.call('PTTL', [key])).toBeLessThanOrEqual(60 * MINUTE);
      expect(await redis.call('PTTL', [key])).toBeGreaterThan(59 * MINUTE);
    }
    expect(await redis.call('ZCARD', [`usher:revoked:{${shard}}`])).toBe(2_048);
    expect(await redis.call('ZSCORE', [`usher:revoked:{${shard}}`, 'astra-1:0:f'])).toBeNull();
  });

  it('is told with the facts that an end is told with, and when and why stands in the record', async () => {
    const session = old(changes);
    await registry.open(session);
    const before = Date.now();
    await registry.revoke(name, 'evicted');
    expect(Object.fromEntries((await told())[1]!)).toEqual({
      type: 'session.revoked',
      session: 'astra-1:42',
      at: expect.stringMatching(/^\d{13}$/),
      reason: 'evicted',
      ...(session.user === '' ? {} : { user: 'portal/100500' }),
      channel: 'a001',
      ip: '192.0.2.7',
      backend: 'portal',
      source: 'backend',
      state: 'revoked',
      presence: 'assumed',
      openedAt: String(session.openedAt),
      fingerprint: session.fingerprint,
      lasted: expect.stringMatching(/^\d+$/),
      checks: '1',
    });
    const key = (await keys()).find((one) => one.startsWith('usher:session:'))!;
    const [at, reason] = (await redis.call('HMGET', [key, 'revokedAt', 'revokedFor'])) as string[];
    expect(Number(at)).toBeGreaterThanOrEqual(before);
    expect(Number(at)).toBeLessThanOrEqual(Date.now());
    expect(reason).toBe('evicted');
    expect(await redis.call('OBJECT', ['ENCODING', key])).toBe('listpack');
  });

  it('is closed for the reason that it was revoked for, whoever closes it', async () => {
    const session = old(changes);
    const ends: (() => Promise<unknown>)[] = [
      () => registry.close(name, 'closed-by-edge'),
      async () => {
        const shard = registry.shardOf(session);
        await redis.call('ZADD', [`usher:alive:{${shard}}`, 1, 'astra-1:42']);
        return sweepShard(redis, registry, shard);
      },
      () => registry.open(next(session, { fingerprint: 'another viewer' })),
    ];
    for (const end of ends) {
      await redis.call('FLUSHALL', []);
      await registry.open(session);
      await registry.revoke(name, 'kicked');
      await end();
      expect((await kinds()).slice(0, 3)).toEqual([
        'session.opened',
        'session.revoked kicked',
        'session.closed kicked',
      ]);
      expect(await audit(redis, await keys())).toEqual([]);
    }
  });

  it('is revoked once', async () => {
    await registry.open(old(changes));
    expect(await registry.revoke(name, 'kicked')).toBeDefined();
    expect(await registry.revoke(name, 'evicted')).toBeUndefined();
    expect(await kinds()).toEqual(['session.opened', 'session.revoked kicked']);
    expect(closed).toEqual([name]);
  });

  it('is only the one that is meant, and one that lives', async () => {
    expect(await registry.revoke(name, 'kicked')).toBeUndefined();
    const session = old(changes);
    await registry.open(session);
    expect(await registry.revoke(name, 'kicked', { fingerprint: 'another' })).toBeUndefined();
    await redis.call('ZADD', [`usher:alive:{${registry.shardOf(session)}}`, 1, 'astra-1:42']);
    expect(await registry.revoke(name, 'kicked')).toBeUndefined();
    await registry.open(session);
    expect(await registry.revoke(name, 'kicked', { fingerprint: session.fingerprint })).toBeDefined();
  });

  it('stays so, whatever was opened before that comes late, is healed, or shows a sign of life', async () => {
    const session = old(changes);
    await registry.open(session);
    await registry.revoke(name, 'kicked');
    expect(await registry.openSession(session)).toBe('late');
    expect(await registry.openSession({ ...session, state: 'on-trust', source: 'fail-open' })).toBe('late');
    expect(await registry.openSession({ ...session, state: 'unconfirmed' })).toBe('late');
    const healed = await healRegistry([session], redis, registry, new ManualClock(Date.now()));
    expect(healed).toEqual({ offered: 1, written: 0, failed: 0 });
    const aliveUntil = Date.now() + 9_000_000;
    const signs = [{ name, aliveUntil }];
    expect(await touchSessions(redis, registry, registry.shardOf(session), signs)).toEqual([]);
    expect(await registry.find(session, session.fingerprint)).toMatchObject({
      kind: 'revoked',
      session: { aliveUntil },
    });
    expect(await kinds()).toEqual(['session.opened', 'session.revoked kicked']);
    expect(await audit(redis, await keys())).toEqual([]);
  });

  it('ends where its viewer is allowed again later: that is a new session', async () => {
    const session = old(changes);
    await registry.open(session);
    await registry.revoke(name, 'kicked');
    const again = next(session);
    expect(await registry.openSession(again)).toBe('opened');
    expect(await registry.find(again, again.fingerprint)).toEqual({ kind: 'same', session: again });
    expect(await kinds()).toEqual([
      'session.opened',
      'session.revoked kicked',
      'session.closed kicked',
      'session.opened',
    ]);
    expect(await audit(redis, await keys())).toEqual([]);
  });
});

describe('a session that is revoked and comes in another shard', () => {
  const atHome = (session: Session): Session => ({ ...session, user: '', sessionName: '' });
  const elsewhere = (session: Session): Session => ({ ...session, user: userElsewhere() });

  /** A user whose shard is not the session's home. */
  function userElsewhere(): string {
    const users = Array.from({ length: 20 }, (_, i) => `u${i}`);
    return users.find((user) => registry.shardOf(aSession({ user })) !== homeShardOf(name, SHARDS))!;
  }

  it.each<[string, (session: Session) => Session, (session: Session) => Session]>([
    ['its user becomes known', atHome, elsewhere],
    ['nobody is named any more', elsewhere, atHome],
  ])('stays so, when what was opened before comes late: %s', async (_, before, after) => {
    const session = old();
    await registry.open(before(session));
    await registry.revoke(name, 'kicked');
    expect(await registry.openSession(after(session))).toBe('late');
    expect(await registry.find(session, session.fingerprint)).toMatchObject({
      kind: 'revoked',
      session: { user: before(session).user },
    });
    expect((await keys()).filter((key) => key.startsWith('usher:session:'))).toHaveLength(1);
    expect(await audit(redis, await keys())).toEqual([]);
    expect(await registry.close(name, 'closed-by-edge')).toBe(true);
    expect((await kinds()).filter((kind) => kind.startsWith('session.closed'))).toEqual([
      'session.closed kicked',
    ]);
  });

  it.each<[string, (session: Session) => Session, (session: Session) => Session]>([
    ['its user becomes known', atHome, elsewhere],
    ['nobody is named any more', elsewhere, atHome],
  ])('ends, when its viewer is allowed again later: %s', async (_, before, after) => {
    const session = old();
    await registry.open(before(session));
    await registry.revoke(name, 'kicked');
    const again = next(after(session));
    expect(await registry.openSession(again)).toBe('opened');
    expect(await registry.find(again, again.fingerprint)).toMatchObject({ kind: 'same' });
    expect((await keys()).filter((key) => key.startsWith('usher:session:'))).toHaveLength(1);
    expect((await kinds()).filter((kind) => kind.startsWith('session.closed'))).toEqual([
      'session.closed kicked',
    ]);
    // It is no sign of an edge that restarted.
    expect((await keys()).filter((key) => key.startsWith('usher:replaced:'))).toEqual([]);
    expect(await audit(redis, await keys())).toEqual([]);
  });
});

describe('garbage in Redis', () => {
  it('under the session’s key is an error that names it', async () => {
    const key = `usher:session:{${homeShardOf(name, SHARDS)}}:astra-1:42`;
    await redis.call('SET', [key, 'garbage']);
    await expect(registry.revoke(name, 'kicked')).rejects.toThrow(`${key} is a string, not a hash`);
  });
});

describe('an answer by a hold', () => {
  it.each(['hold', 'rule', 'known'] as const)('does not take back a backend’s allow: %s', async (source) => {
    const allowed = old({ authorizedUntil: Date.now() + MINUTE });
    await registry.open(allowed);
    await registry.open({ ...allowed, source, authorizedUntil: 0 });
    expect(await registry.read(name)).toMatchObject({
      source: 'backend',
      authorizedUntil: allowed.authorizedUntil,
    });
    await registry.open({ ...allowed, source: 'backend', authorizedUntil: 0 });
    expect(await registry.read(name)).toMatchObject({ source: 'backend', authorizedUntil: 0 });
  });
});

/** What may happen to one session, of one viewer, in any order. */
type Step = 'open' | 'trust' | 'late' | 'heal' | 'touch' | 'revoke' | 'close' | 'again';

describe('in any order', () => {
  /** Each was found once, and is tried first each time. */
  const FOUND: [{ step: Step; user: string }[]][] = [
    [
      [
        { step: 'open', user: 'u2' },
        { step: 'revoke', user: '' },
        { step: 'again', user: '' },
        { step: 'close', user: '' },
        { step: 'late', user: '' },
      ],
    ],
    [
      [
        { step: 'open', user: 'u2' },
        { step: 'revoke', user: '' },
        { step: 'again', user: 'u2' },
        { step: 'close', user: '' },
        { step: 'late', user: '' },
      ],
    ],
  ];
  const steps = fc.array(
    fc.record({
      step: fc.constantFrom<Step>('open', 'trust', 'late', 'heal', 'touch', 'revoke', 'close', 'again'),
      user: fc.constantFrom('', 'u1', 'u2'),
    }),
    { minLength: 1, maxLength: 14 },
  );

  /** Takes a step; returns whether it is a revocation that found something. */
  async function take(step: Step, session: Session): Promise<boolean> {
    const later = { name, aliveUntil: Date.now() + 7_200_000 };
    switch (step) {
      case 'trust':
        await registry.open({ ...session, state: 'on-trust', source: 'fail-open' });
        return false;
      case 'heal':
        await healRegistry([session], redis, registry, new ManualClock(Date.now()));
        return false;
      case 'touch':
        await touchSessions(redis, registry, registry.shardOf(session), [later]);
        return false;
      case 'revoke':
        return (await registry.revoke(name, 'kicked')) !== undefined;
      case 'close':
        await registry.close(name, 'closed-by-edge');
        return false;
      default:
        await registry.open(session);
        return false;
    }
  }

  it('who is revoked stays so, and out once he is closed, until he is allowed anew', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        await redis.call('FLUSHALL', []);
        let expected: 'none' | 'same' | 'revoked' = 'none';
        let openedAt = Date.now() - MINUTE;
        // Of the one that was revoked, and is over: what was opened before that comes too late.
        let [revokedAt, overSince] = [0, 0];
        for (const { step, user } of steps) {
          if (step === 'again') openedAt = Math.max(openedAt, Date.now()) + 5;
          // An `again` is later than any revocation before it.
          while (step === 'again' && Date.now() < openedAt);
          const session = aSession({ user, sessionName: user, openedAt });
          const late = step === 'late' ? { ...session, openedAt: openedAt - MINUTE } : session;
          while (step === 'revoke' && Date.now() <= openedAt);
          await take(step, late);
          if (expected === 'revoked' && (step === 'close' || step === 'again')) overSince = revokedAt;
          if (step === 'revoke' && expected === 'same') [expected, revokedAt] = ['revoked', Date.now()];
          else if (step === 'close') expected = 'none';
          else if (step === 'again') expected = 'same';
          else if (step !== 'touch' && step !== 'revoke' && expected === 'none')
            expected = late.openedAt > overSince ? 'same' : 'none';
          const found = await registry.find(session, session.fingerprint);
          expect(found.kind).toBe(expected);
          const records = (await keys()).filter((key) => key.startsWith('usher:session:'));
          expect(records).toHaveLength(expected === 'none' ? 0 : 1);
        }
        expect(await audit(redis, await keys())).toEqual([]);
      }),
      { numRuns: 200, examples: FOUND },
    );
  });

  it('and at once: who was revoked is not raised by what was opened before', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        await redis.call('FLUSHALL', []);
        const openedAt = Date.now() - MINUTE;
        await registry.open(aSession({ user: 'u1', sessionName: 'u1', openedAt }));
        const raising = steps.filter(({ step }) => step !== 'close' && step !== 'again');
        const ends = await Promise.all([
          registry.revoke(name, 'kicked'),
          ...raising.map(({ step, user }) => take(step, aSession({ user, sessionName: user, openedAt }))),
        ]);
        expect(ends.some((end) => end !== undefined && end !== false)).toBe(true);
        expect(await registry.find(name, aSession().fingerprint)).toMatchObject({ kind: 'revoked' });
        expect(await audit(redis, await keys())).toEqual([]);
      }),
      { numRuns: 120 },
    );
  });
});
