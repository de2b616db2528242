import type { Session } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { aSession, audit } from '../registry/for-tests.js';
import { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import type { ListedSession } from './listed-session.js';
import { Reconciler } from './reconciler.js';
import { SessionsWebhook } from './sessions-webhook.js';

let server: RedisProcess;
let redis: RedisClient;
let clock: ManualClock;
let registry: RedisSessionRegistry;
let reconciler: Reconciler;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  clock = new ManualClock(Date.now());
  registry = new RedisSessionRegistry(redis, clock, { shards: 4 });
  reconciler = new Reconciler(redis, registry, clock, { life: 14_400_000 });
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

/** A session that an Astra has served for a minute. */
function anAstraSession(i: number, changes: Partial<Session> = {}): Session {
  return aSession({
    sessionId: String(i),
    user: `u${i}`,
    sessionName: `u${i}`,
    ip: `192.0.2.${i}`,
    openedAt: clock.now() - 60_000,
    ...changes,
  });
}

async function open(...sessions: Session[]): Promise<Session[]> {
  for (const session of sessions) await registry.open(session);
  return sessions;
}

function listOf(...sessions: Session[]): ListedSession[] {
  return sessions.map(({ sessionId, channel, ip, openedAt }) => ({
    id: sessionId,
    channel,
    ip,
    uptime: Math.trunc((clock.now() - openedAt) / 1000) * 1000,
  }));
}

async function isOpen(session: Session): Promise<boolean> {
  return (await registry.find(session, session.fingerprint)).kind === 'same';
}

async function reasons(): Promise<string[]> {
  const found: string[] = [];
  for (const key of (await redis.call('KEYS', ['usher:events:*'])) as string[]) {
    const told = JSON.stringify(await redis.call('XRANGE', [key, '-', '+']));
    found.push(...Array.from(told.matchAll(/"reason","([a-z-]+)"/g), (match) => match[1]!));
  }
  return found.sort();
}

describe('a session that its edge lists', () => {
  it('is listed from then on, and lives on for as long as one whose life is assumed', async () => {
    const [session] = await open(anAstraSession(1));
    clock.advance(1_000);
    expect(await reconciler.reconcile('astra-1', listOf(session!))).toEqual({
      listed: 1,
      ours: 1,
      byId: 1,
      byFacts: 0,
      foreign: 0,
      closed: 0,
      distrusted: undefined,
      restartedAt: undefined,
    });
    expect(await registry.read(session!)).toMatchObject({
      presence: 'listed',
      aliveUntil: clock.now() + 14_400_000,
    });
    expect(await audit(redis, (await redis.call('KEYS', ['*'])) as string[])).toEqual([]);
  });

  it('is recognized by channel, address and start within 3 s, where the edge’s id is another', async () => {
    const [one, two] = await open(
      anAstraSession(1),
      anAstraSession(2, { ip: '192.0.2.1', openedAt: clock.now() - 90_000 }),
    );
    const listed = listOf(one!, two!).map((session, i) => ({ ...session, id: `other-${i}` }));
    expect(await reconciler.reconcile('astra-1', listed)).toMatchObject({ byId: 0, byFacts: 2, foreign: 0 });
    const late = listOf(one!).map((session) => ({ ...session, id: 'x', uptime: session.uptime! - 4_000 }));
    expect(await reconciler.reconcile('astra-1', late)).toMatchObject({ byFacts: 0, foreign: 1 });
  });

  it('is another one where the id is ours and channel or address are not', async () => {
    const [session] = await open(anAstraSession(1));
    const [listed] = listOf(session!);
    for (const changed of [{ channel: 'b002' }, { ip: '198.51.100.1' }]) {
      const answer = await reconciler.reconcile('astra-1', [{ ...listed, ...changed }]);
      expect(answer).toMatchObject({ byId: 0, foreign: 1 });
    }
    expect(await registry.read(session!)).toMatchObject({ presence: 'assumed' });
  });
});

it('a session that is listed and asks by itself lives no longer than by asking: no list closes it', async () => {
  const mine = new Reconciler(redis, registry, clock, { life: 14_400_000, seenLifeOf: () => 3_700_000 });
  const [session] = await open(anAstraSession(1, { presence: 'seen' }));
  await mine.reconcile('astra-1', listOf(session!));
  expect(await registry.read(session!)).toMatchObject({
    presence: 'seen',
    aliveUntil: clock.now() + 3_700_000,
  });
});

describe('a session that its edge does not list', () => {
  it('is closed by the second list that lacks it', async () => {
    const [gone, there] = await open(anAstraSession(1), anAstraSession(2));
    expect(await reconciler.reconcile('astra-1', listOf(there!))).toMatchObject({ closed: 0 });
    expect(await isOpen(gone!)).toBe(true);
    expect(await reconciler.reconcile('astra-1', listOf(there!))).toMatchObject({ closed: 1 });
    expect(await isOpen(gone!)).toBe(false);
    expect(await isOpen(there!)).toBe(true);
    expect(await reasons()).toEqual(['closed-by-edge']);
  });

  it('stays, when it was back in between, is younger than 10 s, asks by itself, or is another one under that id', async () => {
    const [back, young, asking, anew, there] = await open(
      anAstraSession(1),
      anAstraSession(2, { openedAt: clock.now() - 5_000 }),
      anAstraSession(3, { presence: 'seen' }),
      anAstraSession(4),
      ...[5, 6, 7].map((i) => anAstraSession(i)),
    );
    await reconciler.reconcile('astra-1', listOf(there!));
    await reconciler.reconcile('astra-1', listOf(there!, back!));
    const next = { ...anew!, fingerprint: 'another' };
    await registry.open(next);
    await reconciler.reconcile('astra-1', listOf(there!));
    for (const session of [back!, young!, asking!, next]) expect(await isOpen(session)).toBe(true);
  });

  it('stays where the list is mostly of sessions that are not ours: it may be another edge’s', async () => {
    const sessions = await open(...[1, 2, 3].map((i) => anAstraSession(i)));
    const others = [11, 12].map((i) => anAstraSession(i));
    for (let list = 0; list < 3; list += 1) {
      const answer = await reconciler.reconcile('astra-1', listOf(sessions[0]!, ...others));
      expect(answer).toMatchObject({ closed: 0, distrusted: 'not-ours', foreign: 2 });
    }
    for (const session of sessions) expect(await isOpen(session)).toBe(true);
  });

  it('stays where the list is empty and no restart was seen', async () => {
    const sessions = await open(...[1, 2, 3].map((i) => anAstraSession(i)));
    for (let list = 0; list < 3; list += 1) {
      expect(await reconciler.reconcile('astra-1', [])).toMatchObject({ closed: 0, distrusted: 'empty' });
    }
    for (const session of sessions) expect(await isOpen(session)).toBe(true);
  });
});

describe('an edge that restarted', () => {
  it('counts its ids anew: then an empty list closes all its older sessions at once', async () => {
    const before = await open(...Array.from({ length: 20 }, (_, i) => anAstraSession(i)));
    const other = anAstraSession(99, { edge: 'astra-2' });
    await open(other);
    const after = before.slice(0, 4).map((one) => ({ ...one, fingerprint: `new-${one.sessionId}` }));
    clock.advance(60_000);
    await open(...after.map((one) => ({ ...one, openedAt: clock.now() })));
    const answer = await reconciler.reconcile('astra-1', []);
    expect(answer).toMatchObject({ listed: 0, closed: 16, distrusted: undefined });
    for (const session of [...after, other]) expect(await isOpen(session)).toBe(true);
    for (const session of before) expect(await isOpen(session)).toBe(false);
    expect(await reasons()).toEqual([...Array(16).fill('edge-restarted'), ...Array(4).fill('replaced')]);
  });

  it('is not seen in one or two replaced sessions', async () => {
    const sessions = await open(...[1, 2, 3].map((i) => anAstraSession(i)));
    await open(...sessions.slice(0, 2).map((one) => ({ ...one, fingerprint: 'another' })));
    expect(await reconciler.reconcile('astra-1', [])).toMatchObject({ closed: 0, distrusted: 'empty' });
  });
});

describe('the sessions webhook', () => {
  const notices: [string, (session: Session) => unknown][] = [
    ['an object', (one) => ({ client_id: Number(one.sessionId), channel_id: one.channel, addr: one.ip })],
    ['JSON text', (one) => JSON.stringify({ event: 'session_close', session: { client_id: one.sessionId } })],
    ['a list', (one) => [{ id: one.sessionId }]],
    ['bytes', (one) => Buffer.from(JSON.stringify({ id: one.sessionId }))],
    ['a form', (one) => `client_id=${one.sessionId}&addr=${one.ip}:5000`],
    ['another id', (one) => ({ client_id: 'x', channel_id: one.channel, addr: one.ip, uptime: 60 })],
  ];

  it.each(notices)('closes the session that it names: %s', async (_, payload) => {
    const webhook = new SessionsWebhook(redis, registry, clock);
    const [session, other] = await open(anAstraSession(1), anAstraSession(2));
    expect(await webhook.closed('astra-2', payload(session!))).toEqual({ closed: 0, unknown: 1 });
    expect(await webhook.closed('astra-1', payload(session!))).toEqual({ closed: 1, unknown: 0 });
    expect(await webhook.closed('astra-1', payload(session!))).toEqual({ closed: 0, unknown: 1 });
    expect(await isOpen(other!)).toBe(true);
    expect(await reasons()).toEqual(['closed-by-edge']);
  });

  it.each([
    ['garbage', '\u0000{['],
    ['nothing', undefined],
    ['null', null],
    ['another viewer under that id', { client_id: 1, addr: '198.51.100.9' }],
    ['an opening', { event: 'session_open', client_id: 1 }],
    ['depth', [[[[[[{ client_id: 1 }]]]]]]],
    ['hostile names', { __proto__: null, constructor: { client_id: 1 }, client_id: { toString: 1 } }],
  ])('closes nothing for %s', async (_, payload) => {
    const webhook = new SessionsWebhook(redis, registry, clock);
    const [session] = await open(anAstraSession(1));
    expect(await webhook.closed('astra-1', payload)).toMatchObject({ closed: 0 });
    expect(await isOpen(session!)).toBe(true);
  });
});
