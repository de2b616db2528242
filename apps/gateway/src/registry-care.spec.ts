import { configSchema } from '#usher/config';
import { KeptDecisions, KnownMemory, sessionLife } from '#usher/decisions';
import { silentLog, type Check, type Session } from '#usher/domain';
import { openRenewal, renewals, type ClusterNode } from '#usher/node';
import { connectRedis, createSealer, type RedisClient } from '#usher/redis';
import { RedisKnownViewers, RedisSessionRegistry, RenewalStore } from '#usher/sessions';
import { eventually, ManualClock, startRedis, type RedisProcess } from '#usher/testing';
import { HeldRenewals } from './held-renewals.js';
import { registryCare, type RegistryCare } from './registry-care.js';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const check: Check = {
  id: 'c1',
  dialect: 'astra',
  edge: 'astra-1',
  sessionId: '42',
  sessionGiven: true,
  channel: 'a001',
  ip: '192.0.2.7',
  path: '',
  userAgent: '',
  host: '',
  origin: '',
  query: 'token=reusable-1',
};
const identity = { fingerprint: 'f'.repeat(26), viewerKey: 'v'.repeat(26) };
const config = configSchema.parse({});
const traits = new Map([['portal', { name: 'portal', namespace: 'portal', credential: 'reusable' }]]);
const sealer = createSealer(['a secret of these tests']);

let server: RedisProcess;
let redis: RedisClient;
let clock: ManualClock;
let registry: RedisSessionRegistry;
let store: RenewalStore;
let kept: KeptDecisions;
let held: HeldRenewals;
let known: KnownMemory;
/** By their kinds. */
let tell: Map<string, (news: unknown) => void>;
let care: RegistryCare;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 500 });
  await redis.ready();
});

afterAll(async () => {
  await redis?.close();
  await server?.stop();
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  clock = new ManualClock(Date.now());
  registry = new RedisSessionRegistry(redis, clock, { shards: config.redis.shards });
  store = new RenewalStore(redis, clock);
  kept = new KeptDecisions(clock, 10);
  const parts = { store, registry, sealer, clock, random: () => 0.5, log: silentLog };
  held = new HeldRenewals(renewals({ ...parts, traits: traits as never }));
  const inRedis = new RedisKnownViewers(redis, { shards: config.redis.shards, knownFor: 24 * HOUR });
  known = new KnownMemory(clock, inRedis, 24 * HOUR, 10);
  tell = new Map();
  const news = {
    on: (kind: string, listener: (news: unknown) => void) => void tell.set(kind, listener),
  };
  const node = { redis, registry, known: inRedis, clock, config, log: silentLog, news };
  care = registryCare(node as unknown as ClusterNode, {
    kept,
    known,
    renewals: held,
    life: sessionLife(config),
    forget: () => undefined,
  });
  // From now on it is noticed when Redis comes back empty.
  await eventually(async () => (await redis.call('EXISTS', ['usher:epoch:{15}'])) === 1);
});

afterEach(() => care.close());

function sessionOf(changes: Partial<Session> = {}): Session {
  return {
    ...check,
    ...identity,
    backend: 'portal',
    namespace: 'portal',
    user: 'anna',
    sessionName: 'anna',
    state: 'active',
    source: 'backend',
    presence: 'assumed',
    authorizedUntil: clock.now() + 10 * MINUTE,
    openedAt: clock.now(),
    aliveUntil: clock.now() + HOUR,
    ...changes,
  };
}

/** As after an allow. */
function keep(session: Session): void {
  kept.keep({
    name: `${session.edge}/${session.sessionId}`,
    fingerprint: session.fingerprint,
    decision: { allow: true, source: 'cache', reason: 'backend-allowed' },
    session,
    standIn: false,
    until: Infinity,
    generation: 0,
    version: 0,
    checks: 0,
  });
}

function seen(session: Session): void {
  kept.note(kept.find(`${session.edge}/${session.sessionId}`, session.fingerprint)!);
}

async function comesBackEmpty(): Promise<void> {
  await server.kill();
  await eventually(() => redis.away);
  await server.restart({ empty: true });
  await redis.ready();
}

/** When the session is asked about again; null where it is not. */
async function dueAt(session: Session): Promise<number | null> {
  const score = await redis.call('ZSCORE', [
    `usher:due:{${registry.shardOf(session)}}`,
    `${session.edge}:${session.sessionId}`,
  ]);
  return score === null ? null : Number(score);
}

it('writes back a session that its edge asks about, however long ago it was opened', async () => {
  const session = sessionOf({ openedAt: clock.now() - 5 * HOUR, aliveUntil: clock.now() - HOUR });
  keep(session);
  seen(session);
  await care.close();
  await eventually(async () =>
    expect(await registry.find(session, session.fingerprint)).toMatchObject({ kind: 'same' }),
  );
});

describe('a session whose opening was lost', () => {
  /** As the ladder does after an allow that a worker was to write down. */
  function opened(session: Session): void {
    keep(session);
    kept.noteKept(kept.find(`${session.edge}/${session.sessionId}`, session.fingerprint)!);
  }

  it('is opened by the gateway that let it in, though nobody asks about it again', async () => {
    const session = sessionOf();
    opened(session);
    await care.close();
    await eventually(async () => expect(await registry.read(session)).toMatchObject({ user: 'anna' }));
    const key = `usher:session:{${registry.shardOf(session)}}:astra-1:42`;
    expect(await redis.call('HGET', [key, 'checks'])).toBeNull();
  });

  it('is not, where it ended before that was noticed', async () => {
    const [ended, other] = [sessionOf(), sessionOf({ sessionId: 'other' })];
    for (const session of [ended, other]) opened(session);
    tell.get('closed')!([ended]);
    await care.close();
    await eventually(async () => (await registry.read(other)) !== undefined);
    expect(await registry.read(ended)).toBeUndefined();
  });

  it('is told of once: then it is as any other', async () => {
    const session = sessionOf();
    opened(session);
    expect(kept.takeSeen(sessionLife(config))).toMatchObject([{ session: { sessionId: '42' }, checks: 0 }]);
    expect(kept.takeSeen(sessionLife(config))).toEqual([]);
    seen(session);
    seen(session);
    expect(kept.takeSeen(sessionLife(config))).toMatchObject([{ checks: 2 }]);
  });
});

describe('a session that is seen', () => {
  it('lives by a life of its own after it was asked about, and one that is assumed by another', async () => {
    const opened = { openedAt: clock.now() - HOUR, aliveUntil: clock.now() + MINUTE };
    const asked = sessionOf({ presence: 'seen', ...opened });
    const assumed = sessionOf({ sessionId: 'assumed', ...opened });
    for (const session of [asked, assumed]) {
      await registry.open(session);
      keep(session);
      seen(session);
    }
    await care.close();
    expect((await registry.read(asked))?.aliveUntil).toBe(clock.now() + 4 * MINUTE);
    expect((await registry.read(assumed))?.aliveUntil).toBe(clock.now() + 4 * HOUR);
  });

  it('is written back with that life where Redis lost it', async () => {
    const session = sessionOf({ presence: 'seen', aliveUntil: clock.now() - HOUR });
    keep(session);
    seen(session);
    await care.close();
    await eventually(async () => (await registry.read(session)) !== undefined);
    expect((await registry.read(session))?.aliveUntil).toBe(clock.now() + 4 * MINUTE);
  });

  it('is offered back to an empty Redis while it is asked about, however old, and not when its viewer left', async () => {
    const old = { presence: 'seen', openedAt: clock.now() - HOUR, aliveUntil: clock.now() - MINUTE } as const;
    const [asked, left] = [sessionOf(old), sessionOf({ ...old, sessionId: 'left' })];
    for (const session of [asked, left]) {
      keep(session);
      await registry.open({ ...session, aliveUntil: clock.now() + MINUTE });
    }
    seen(asked);
    kept.takeSeen(sessionLife(config));
    await comesBackEmpty();
    await eventually(async () => (await registry.read(asked)) !== undefined);
    expect(await registry.read(left)).toBeUndefined();
  });

  it('that went idle is kept: his backend may not know his credential any more', () => {
    const [paused, ended] = [sessionOf({ presence: 'seen' }), sessionOf({ sessionId: 'ended' })];
    for (const session of [paused, ended]) {
      keep(session);
      held.hold(check, identity, session);
    }
    tell.get('idle')!([paused]);
    tell.get('closed')!([ended]);
    expect(kept.sessionNamed('astra-1', '42')).toBeDefined();
    expect(kept.sessionNamed('astra-1', 'ended')).toBeUndefined();
    expect(held.size).toBe(1);
  });
});

describe('a session that was revoked and closed, of which this gateway did not hear', () => {
  async function revoked(): Promise<Session> {
    const session = sessionOf({ openedAt: clock.now() - 1_000 });
    await registry.open(session);
    await registry.revoke(session, 'kicked');
    await registry.close(session, 'kicked');
    for (const one of [session, sessionOf({ sessionId: 'another', openedAt: session.openedAt })]) keep(one);
    return session;
  }

  it('is forgotten when its edge asks about it', async () => {
    seen(await revoked());
    await care.close();
    await eventually(() => kept.sessionNamed('astra-1', '42') === undefined);
  });

  it('is forgotten when it is offered back', async () => {
    await revoked();
    server.pause();
    await eventually(() => redis.away);
    server.resume();
    await redis.ready();
    await eventually(() => kept.sessionNamed('astra-1', '42') === undefined);
    await eventually(
      async () => (await registry.read({ edge: 'astra-1', sessionId: 'another' })) !== undefined,
    );
  });

  afterEach(async () => {
    expect(await registry.read({ edge: 'astra-1', sessionId: '42' })).toBeUndefined();
    expect(kept.sessionNamed('astra-1', 'another')).toBeDefined();
  });
});

it('a known viewer whom his backend refuses when it is asked again is forgotten', async () => {
  const viewerKey = 'v'.repeat(26);
  const grant = { user: 'anna', sessionName: '', authorizedUntil: 0 };
  known.rememberHere('portal', viewerKey, identity.fingerprint, grant);
  tell.get('denied')!({ backend: 'portal', viewerKey, user: 'anna', at: clock.now() });
  expect(known.isKnown('portal', viewerKey)).toBe(false);
});

describe('the questions of sessions that are asked about again', () => {
  it('are given back to a Redis that came back empty, sealed', async () => {
    const session = sessionOf();
    keep(session);
    held.hold(check, identity, session);
    await comesBackEmpty();
    const due = await eventually(async () => (await dueAt(session)) ?? false);
    expect(due).toBeGreaterThan(clock.now());
    expect(due).toBeLessThan(session.authorizedUntil);
    await store.again(registry.shardOf(session), session, Date.now() - 1);
    const [question] = await store.take(registry.shardOf(session), 1);
    expect(question!.sealed).not.toContain('reusable-1');
    expect(openRenewal(sealer, session, question!.sealed)).toMatchObject({ check, identity });
    // The session was there before: whose session is missing is asked about no more.
    expect(await registry.read(session)).toBeDefined();
  });

  it('are given back to a Redis that was only away for long, of what was opened meanwhile', async () => {
    server.pause();
    await eventually(() => redis.away);
    const session = sessionOf();
    const before = sessionOf({ sessionId: '7', openedAt: clock.now() - MINUTE });
    for (const one of [session, before]) {
      keep(one);
      held.hold(check, identity, one);
    }
    server.resume();
    await redis.ready();
    await eventually(async () => (await dueAt(session)) ?? false);
    expect(await dueAt(before)).toBeNull();
  });

  it('stay as they are where Redis has them', async () => {
    const session = sessionOf();
    const shard = registry.shardOf(session);
    held.hold(check, identity, session);
    await store.keep(shard, session, 'newer', clock.now() + HOUR);
    await held.offer(session);
    expect(await dueAt(session)).toBe(clock.now() + HOUR);
    await redis.call('ZREM', [`usher:due:{${shard}}`, 'astra-1:42']);
    await held.offer(session);
    expect(await dueAt(session)).toBeLessThan(session.authorizedUntil);
  });

  it('that came due meanwhile are not asked all at once', async () => {
    const session = sessionOf();
    held.hold(check, identity, session);
    clock.advance(9.9 * MINUTE);
    await held.offer(session);
    expect(await dueAt(session)).toBe(clock.now() + MINUTE / 2);
  });

  it('are held for these sessions alone, for as long as they last, and bounded', () => {
    const session = sessionOf();
    held.hold(check, identity, session);
    expect(held.size).toBe(1);
    expect(held.offer(sessionOf({ fingerprint: 'another' }))).toBeUndefined();
    tell.get('closed')!([session]);
    expect(held.size).toBe(0);
    held.hold(check, identity, sessionOf({ authorizedUntil: 0 }));
    held.hold(check, identity, sessionOf({ backend: 'other' }));
    expect(held.size).toBe(0);
    const parts = { store, registry, sealer, clock, random: () => 0.5, log: silentLog };
    const few = new HeldRenewals(renewals({ ...parts, traits: traits as never }), 3_000);
    for (let i = 0; i < 50; i += 1) few.hold(check, identity, sessionOf({ sessionId: String(i) }));
    expect(few.size).toBeGreaterThan(0);
    expect(few.size).toBeLessThan(10);
  });
});
