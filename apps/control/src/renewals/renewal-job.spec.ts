import {
  silentLog,
  type BackendAnswer,
  type Check,
  type Clock,
  type Question,
  type Session,
} from '#usher/domain';
import { openRenewal, renewals } from '#usher/node';
import { connectRedis, createSealer, type RedisClient } from '#usher/redis';
import { RedisSessionRegistry, RenewalStore } from '#usher/sessions';
import { eventually, startRedis, type RedisProcess } from '#usher/testing';
import { RefreshedUsers } from './refreshed-users.js';
import { RenewalJob } from './renewal-job.js';
import { widthsOf } from './renewals.js';

/** Passed at once, ms. */
let passed = 0;
const clock: Clock = { now: () => Date.now() + passed, monotonic: () => performance.now() + passed };
const sealer = createSealer(['a secret of these tests']);
const identity = { fingerprint: 'f'.repeat(26), viewerKey: 'v'.repeat(26) };
const QUERY = 'token=reusable-1';

let server: RedisProcess;
let redis: RedisClient;
let registry: RedisSessionRegistry;
let store: RenewalStore;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  registry = new RedisSessionRegistry(redis, clock, { shards: 4 });
  store = new RenewalStore(redis, clock);
});

beforeEach(async () => {
  passed = 0;
  await redis.call('FLUSHALL', []);
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

const checkOf = (sessionId: string): Check => ({
  id: 'c1',
  dialect: 'astra',
  edge: 'astra-1',
  sessionId,
  sessionGiven: true,
  channel: 'a001',
  ip: '192.0.2.7',
  path: '/play/a001',
  userAgent: 'VLC/3',
  host: 'live.example.com',
  origin: '',
  query: QUERY,
});

const sessionOf = (sessionId: string, part: Partial<Session> = {}): Session => ({
  ...checkOf(sessionId),
  ...identity,
  backend: 'portal',
  namespace: 'portal',
  user: 'anna',
  sessionName: '',
  state: 'active',
  source: 'backend',
  presence: 'assumed',
  openedAt: Date.now() - 1_000,
  authorizedUntil: Date.now() + 50,
  aliveUntil: Date.now() + 3_600_000,
  ...part,
});

function world(answer: 'allow' | 'deny' | 'nobody', pace = 1_000, breaks = 0) {
  const asked: Question[] = [];
  const revoked: string[] = [];
  const suspicious = new Set<string>();
  const refused = new Set<string>();
  const refreshed = new RefreshedUsers(clock);
  const widths = new Map([['portal', 1_000]]);
  let answered: Promise<unknown> = Promise.resolve();
  const job = new RenewalJob({
    store,
    registry,
    revoke: async ({ sessionId }, reason) => void revoked.push(`${sessionId} ${reason}`),
    leases: { renew: async () => undefined, holds: () => true, release: async () => undefined },
    ask: async (question) => {
      asked.push(question);
      if (asked.length <= breaks) throw new Error('no reply from Redis');
      if (question.target === 'portal') await answered;
      const kind = refused.has(question.check.sessionId) ? 'deny' : answer;
      const said = { backend: 'portal', status: 200, tookMs: 1, kind, reason: `backend-${kind}ed` };
      return answer === 'nobody' ? undefined : (said as BackendAnswer);
    },
    isSuspicious: () => suspicious.has('portal'),
    isRefreshed: (session) => refreshed.has(session),
    unseal: (session, sealed) => openRenewal(sealer, session, sealed),
    pace: () => pace,
    widths: () => widths,
    grace: 60_000,
    clock,
    random: () => 0,
    log: silentLog,
  });
  /** The portal answers nothing until then. */
  const answersAfter = (then: Promise<unknown>): void => void (answered = then);
  const refuse = (sessionId: string): void => void refused.add(sessionId);
  return { job, asked, revoked, suspicious, widths, answersAfter, refuse, refreshed };
}

/** As a worker does that has the backend's allow. */
async function keep(session: Session, credential: 'once' | 'reusable' = 'reusable'): Promise<void> {
  const { backend } = session;
  const traits = { name: backend, namespace: backend, credential } as never;
  const kept: Promise<void>[] = [];
  const noting: Pick<RenewalStore, 'keep' | 'offer'> = {
    offer: (...what) => store.offer(...what),
    keep: (...what) => {
      kept.push(store.keep(...what));
      return kept[0]!;
    },
  };
  const parts = { store: noting, registry, sealer, clock, random: () => 0, log: silentLog };
  const notes = renewals({ ...parts, traits: new Map([[backend, traits]]) });
  await registry.open(session);
  notes.keep(checkOf(session.sessionId), identity, session);
  await Promise.all(kept);
}

/** Of different users, due at once. */
async function keepMany(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const session = sessionOf(`d${i}`, { user: `user-${i}`, authorizedUntil: clock.now() + 60_000 });
    await keep(session);
    await store.again(registry.shardOf(session), session, Date.now() - 60_000);
  }
}

/** By Redis' clock. */
async function due(sessionId: string): Promise<number> {
  const key = `usher:due:{${registry.shardOf(sessionOf(sessionId))}}`;
  return Number(await redis.call('ZSCORE', [key, `astra-1:${sessionId}`]));
}

async function makeDue(sessionId: string): Promise<void> {
  await store.again(registry.shardOf(sessionOf(sessionId)), sessionOf(sessionId), Date.now() - 1);
}

async function makeDueIn(shard: string): Promise<void> {
  await store.again(shard, sessionOf('1'), Date.now() - 1);
}

describe('a session whose credential may be used again', () => {
  it('is due a tenth of its time before it is up, with jitter, and its question lies sealed', async () => {
    const session = sessionOf('1', { authorizedUntil: Date.now() + 100_000 });
    await keep(session);
    expect(session.authorizedUntil - (await due('1'))).toBeGreaterThan(9_900);
    expect(session.authorizedUntil - (await due('1'))).toBeLessThan(10_100);
    const [key] = (await redis.call('KEYS', ['usher:sealed:*'])) as string[];
    expect(await redis.call('GET', [key!])).not.toContain('reusable-1');
    expect(Number(await redis.call('PTTL', [key!]))).toBeGreaterThan(3_600_000);
  });

  it('is asked about with the viewer’s own question when it is due, and not before', async () => {
    const { job, asked } = world('allow');
    await keep(sessionOf('1', { authorizedUntil: Date.now() + 100_000 }));
    await job.round();
    expect(asked).toHaveLength(0);
    await makeDue('1');
    await job.round();
    expect(asked).toMatchObject([
      { target: 'portal', known: false, check: { query: QUERY, sessionId: '1' } },
    ]);
    expect(job.counts.renewed).toBe(1);
  });

  it('is no sign of life, and no new session: it is asked about as the one that it is', async () => {
    const { job, asked } = world('allow');
    const session = sessionOf('1');
    await keep(session);
    await makeDue('1');
    await job.round();
    const { openedAt, aliveUntil } = session;
    expect(asked[0]!.renews).toEqual({ openedAt, aliveUntil });
  });

  it('ends where the backend goes on refusing it, and not by its first word', async () => {
    const { job, revoked } = world('deny');
    await keep(sessionOf('1'));
    await makeDue('1');
    await job.round();
    expect(revoked).toEqual([]);
    expect((await due('1')) - Date.now()).toBeGreaterThan(50_000);
    expect(job.counts).toMatchObject({ denied: 0, held: 1 });
    passed = 600_000;
    await makeDue('1');
    await job.round();
    expect(revoked).toEqual(['1 denied-on-recheck']);
    expect(await redis.call('KEYS', ['usher:sealed:*'])).toEqual([]);
    expect(await redis.call('KEYS', ['usher:due:*'])).toEqual([]);
  });

  it('ends by the first word where an operator had its user asked about again', async () => {
    const { job, revoked, suspicious, refreshed } = world('deny');
    refreshed.note({ namespace: 'portal', user: 'anna', at: clock.now() });
    await keepMany(1);
    await keep(sessionOf('1'));
    await makeDue('1');
    suspicious.add('portal');
    await job.round();
    expect(revoked).toEqual([]);
    suspicious.clear();
    await makeDue('1');
    await job.round();
    expect(revoked).toEqual(['1 denied-on-recheck']);
    passed = 600_001;
    await keep(sessionOf('2', { authorizedUntil: clock.now() + 50 }));
    await makeDue('2');
    await job.round();
    expect(revoked).toHaveLength(1);
  });

  it('ends by the second word of a backend that allows the others', async () => {
    const { job, revoked, refuse } = world('allow');
    refuse('d5');
    await keepMany(60);
    await job.round();
    expect(revoked).toEqual([]);
    await keepMany(60);
    await job.round();
    expect(revoked).toEqual(['d5 denied-on-recheck']);
    expect(job.counts).toMatchObject({ renewed: 118, denied: 1, held: 1 });
  });

  it('is not cut by a portal that denies everybody, not even the first of them, and plays on as unconfirmed', async () => {
    const { job, revoked } = world('deny');
    for (let round = 0; round < 3; round += 1) {
      await keepMany(60);
      await job.round();
      passed += 600_000;
    }
    expect(revoked).toEqual([]);
    expect(job.counts).toMatchObject({ denied: 0, held: 180 });
  });

  it('is not cut by a backend that is suspicious', async () => {
    const { job, revoked, suspicious } = world('deny');
    suspicious.add('portal');
    await keep(sessionOf('1'));
    await makeDue('1');
    await job.round();
    expect(revoked).toEqual([]);
    expect((await due('1')) - Date.now()).toBeGreaterThan(50_000);
  });

  it('plays on as unconfirmed where nobody can be asked, and is asked about again', async () => {
    const { job, revoked } = world('nobody');
    const session = sessionOf('1', { authorizedUntil: Date.now() - 5 });
    await keep({ ...session, authorizedUntil: Date.now() + 1_000 });
    await registry.open(session);
    await makeDue('1');
    await job.round();
    expect(await registry.read(session)).toMatchObject({ state: 'unconfirmed' });
    expect(revoked).toEqual([]);
    expect((await due('1')) - Date.now()).toBeGreaterThan(50_000);
  });

  it('that is gone, or is another one’s by now, is asked about no more', async () => {
    const { job, asked } = world('allow');
    await keep(sessionOf('1'));
    await keep(sessionOf('2'));
    await registry.close(sessionOf('1'), 'closed-by-edge');
    await registry.open(sessionOf('2', { fingerprint: 'g'.repeat(26), openedAt: Date.now() }));
    await makeDue('1');
    await makeDue('2');
    await job.round();
    expect(asked).toHaveLength(0);
    expect(job.counts.gone).toBe(2);
    expect(await redis.call('KEYS', ['usher:due:*'])).toEqual([]);
  });

  it('that has moved to the shard of its user is asked about from there alone', async () => {
    const { job, asked } = world('allow');
    await keep(sessionOf('1', { user: '' }));
    await makeDueIn(registry.shardOf(sessionOf('1', { user: '' })));
    const user = ['a', 'b', 'c', 'd', 'e', 'f'].find(
      (name) =>
        registry.shardOf(sessionOf('1', { user: name })) !== registry.shardOf(sessionOf('1', { user: '' })),
    )!;
    await keep(sessionOf('1', { user, authorizedUntil: Date.now() + 3_600_000 }));
    await job.round();
    expect(asked).toHaveLength(0);
    expect(await redis.call('KEYS', ['usher:due:*'])).toHaveLength(1);
    expect(await redis.call('KEYS', ['usher:sealed:*'])).toHaveLength(1);
  });

  it('that was granted for as long as it lives since is asked about no more', async () => {
    const { job, asked } = world('allow');
    await keep(sessionOf('1'));
    await registry.open(sessionOf('1', { authorizedUntil: 0 }));
    await makeDue('1');
    await job.round();
    expect(asked).toHaveLength(0);
    expect(job.counts.gone).toBe(1);
  });

  it('of a backend whose credentials are good once by now is asked about no more', async () => {
    const { job, asked, widths } = world('deny');
    widths.clear();
    await keep(sessionOf('1'));
    await makeDue('1');
    await job.round();
    expect(asked).toEqual([]);
    expect(job.counts.gone).toBe(1);
    expect(await redis.call('KEYS', ['usher:sealed:*'])).toEqual([]);
  });

  it('waits its turn: a round asks no more than the pace', async () => {
    const { job, asked } = world('allow', 10);
    for (let i = 0; i < 25; i += 1) {
      await keep(sessionOf(`s${i}`, { user: `user-${i}` }));
      await store.again(
        registry.shardOf(sessionOf(`s${i}`, { user: `user-${i}` })),
        sessionOf(`s${i}`),
        Date.now() - 60_000,
      );
    }
    await job.round();
    expect(asked).toHaveLength(10);
    await job.round();
    expect(asked).toHaveLength(20);
    await job.round();
    expect(asked).toHaveLength(25);
    expect(new Set(asked.map(({ check }) => check.sessionId)).size).toBe(25);
  });

  it('waits its turn: the questions of a round are spread over it, whoever answers fast', async () => {
    const { job, asked } = world('allow', 20);
    for (let i = 0; i < 12; i += 1) {
      await keep(sessionOf(`s${i}`, { user: `user-${i}` }));
      await store.again(
        registry.shardOf(sessionOf(`s${i}`, { user: `user-${i}` })),
        sessionOf(`s${i}`),
        Date.now() - 60_000,
      );
    }
    await job.round();
    expect(asked).toHaveLength(12);
    // Eleven gaps of 50 ms; a timer may be a little early.
    const [first, last] = [asked[0]!, asked.at(-1)!].map(({ askedAt = 0 }) => askedAt);
    expect(last! - first!).toBeGreaterThan(500);
  });

  it('keeps the pace though its backend is slow, in as many questions as it may have under way', async () => {
    const { job, asked, widths, answersAfter } = world('allow', 200);
    widths.set('portal', 30).set('billing', 2);
    const traits = (backend: string) => sessionOf('other', { backend, namespace: backend, user: 'olga' });
    let answer = (): void => undefined;
    answersAfter(new Promise<void>((resolve) => (answer = resolve)));
    for (let i = 0; i < 40; i += 1) {
      await keep(sessionOf(`s${i}`));
      await makeDue(`s${i}`);
    }
    job.start();
    await eventually(() => asked.length === 30);
    // Another backend's are not kept waiting by it.
    await keep(traits('billing'));
    await store.again(registry.shardOf(traits('billing')), traits('billing'), Date.now() - 60_000);
    await eventually(() => asked.some(({ target }) => target === 'billing'));
    expect(asked.filter(({ target }) => target === 'portal')).toHaveLength(30);
    answer();
    await eventually(() => asked.length === 41);
    await job.stop();
    expect(job.counts.renewed).toBe(41);
  });

  it('keeps the pace though few questions may be under way, where its backend is fast', async () => {
    const { job, asked, widths } = world('allow', 100);
    widths.set('portal', 2);
    for (let i = 0; i < 60; i += 1) {
      await keep(sessionOf(`s${i}`));
      await makeDue(`s${i}`);
    }
    await job.round();
    expect(asked.length).toBeGreaterThan(55);
  });

  it('has room for the pace at its backend’s slowest, and for half of its calls at most', () => {
    const backend = { credential: 'reusable', timeout: 1_000, maxCalls: 64 } as const;
    const widths = (part: object, pace: number, controls = 1) =>
      widthsOf({ portal: { ...backend, ...part } }, pace, controls).get('portal');
    expect(widths({}, 20)).toBe(20);
    expect(widths({ timeout: 250 }, 50)).toBe(13);
    expect(widths({}, 50)).toBe(32);
    expect(widths({}, 50, 4)).toBe(8);
    expect(widths({ maxCalls: 1 }, 50)).toBe(1);
    expect(widths({ credential: 'once' }, 50)).toBeUndefined();
  });

  it('that cannot be asked about keeps no other of its round waiting, and is due again', async () => {
    const { job, asked } = world('allow', 10, 1);
    for (const id of ['1', '2', '3']) {
      await keep(sessionOf(id));
      await makeDue(id);
    }
    await job.round();
    expect(asked).toHaveLength(3);
    expect(job.counts.renewed).toBe(2);
    expect(await due(asked[0]!.check.sessionId)).toBeLessThan(Date.now() + 61_000);
  });

  it('is left for later where the job ends meanwhile', async () => {
    const { job, asked } = world('allow', 2);
    for (const id of ['1', '2']) {
      await keep(sessionOf(id));
      await makeDue(id);
    }
    job.start();
    await eventually(() => asked.length === 1);
    await job.stop();
    expect(asked).toHaveLength(1);
    const left = asked[0]!.check.sessionId === '1' ? '2' : '1';
    expect(await due(left)).toBeGreaterThan(Date.now());
    expect(await due(left)).toBeLessThan(Date.now() + 61_000);
  });

  it('is never kept where its credential is good once', async () => {
    await keep(sessionOf('1'), 'once');
    expect(await redis.call('KEYS', ['usher:sealed:*'])).toEqual([]);
  });
});
