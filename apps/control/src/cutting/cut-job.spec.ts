import { configSchema } from '#usher/config';
import { silentLog } from '#usher/domain';
import type { Clock, Log, Session, SessionName } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { EdgeCutters, GivenUpCuts, RedisSessionRegistry } from '#usher/sessions';
import type { CutResult } from '#usher/sessions';
import {
  eventually,
  startFakeAstra,
  startFakeEdgeApi,
  startFakeMediaMtx,
  startFakePortal,
} from '#usher/testing';
import { startRedis } from '#usher/testing';
import type { EdgeApiReply, FakeEdgeApi, RedisProcess } from '#usher/testing';
import type { JobDefinition } from '../queues/job-queue.js';
import { Queues } from '../queues/queues.js';
import { CutJob, TooManyCutsError } from './cut-job.js';
import type { CutJobParts } from './cut-job.js';
import { cutRevoked } from './cut-revoked.js';
import type { CutOutcome, CutSession } from './cut-order.js';
import { openCutting } from './cutting.js';

const clock: Clock = { monotonic: () => performance.now(), now: () => Date.now() };
/** Retries come at once, and have all the time that a busy machine needs. */
const quick = { giveUpAfter: 120_000, firstWait: 20, busyWait: 20 };
const patience = { withinMs: 60_000 };

let server: RedisProcess;
let redis: RedisClient;
let registry: RedisSessionRegistry;
const open: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  registry = new RedisSessionRegistry(redis, clock, { shards: 4 });
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  await redis.close();
  await server.stop();
});

interface Ended extends CutSession {
  readonly outcome: CutOutcome;
}

interface Desk {
  readonly job: CutJob;
  readonly ended: Ended[];
  readonly queues: Queues;
}

function someQueues(): Queues {
  const queues = new Queues({
    redis: { url: server.url },
    id: 'c',
    clock,
    random: Math.random,
    log: silentLog,
  });
  open.push(queues);
  return queues;
}

/** A control that cuts. */
function aDesk(parts: Partial<CutJobParts> = {}): Desk {
  const queues = someQueues();
  const ended: Ended[] = [];
  const job = new CutJob({
    queues,
    cutters: eachBy(() => Promise.resolve({ kind: 'cut' })),
    read: (name) => registry.read(name),
    givenUp: new GivenUpCuts(redis),
    clock,
    random: Math.random,
    log: silentLog,
    onResult: (order, outcome) => void ended.push({ ...order, outcome }),
    timing: quick,
    ...parts,
  });
  return { job, ended, queues };
}

/** One session is to be cut. */
function requestCut(job: CutJob, session: Session, reason: CutSession['reason']): Promise<void> {
  const { edge, sessionId, fingerprint } = session;
  return job.requestCuts([{ edge, sessionId, fingerprint, reason }]);
}

/** Edges that cut one session after the other. */
function eachBy(cut: EdgeCutters['cut']): CutJobParts['cutters'] {
  return { cutAll: (_, sessions, signal) => Promise.all(sessions.map((session) => cut(session, signal))) };
}

function edges(config: Record<string, unknown>): EdgeCutters {
  const read = (name: SessionName): Promise<Session | undefined> => registry.read(name);
  return new EdgeCutters(configSchema.parse({ edges: config }).edges, { clock, read, timeout: 20_000 });
}

async function anApi(reply: () => EdgeApiReply): Promise<FakeEdgeApi> {
  const api = await startFakeEdgeApi(reply);
  open.push({ close: () => api.stop() });
  return api;
}

/** Opened, and revoked. */
async function opened(facts: Partial<Session> = {}): Promise<Session> {
  const openedAt = Date.now();
  const session: Session = {
    edge: 'edge-1',
    sessionId: '42',
    fingerprint: 'f42',
    viewerKey: 'v42',
    channel: 'a001',
    ip: '192.0.2.7',
    userAgent: 'MAG250',
    host: '',
    path: '/a001',
    dialect: 'astra',
    backend: 'portal',
    namespace: 'portal',
    user: '100500',
    sessionName: '',
    state: 'revoked',
    source: 'backend',
    presence: 'assumed',
    openedAt,
    authorizedUntil: 0,
    aliveUntil: openedAt + 3_600_000,
    ...facts,
  };
  await registry.open(session);
  return session;
}

describe('an order to cut', () => {
  it('is carried out by the session’s own edge, and its end is told', async () => {
    const auth = await startFakePortal();
    auth.allow();
    const astra = await startFakeAstra({ auth: auth.url, user: 'usher', password: 'pw' });
    const mtx = await startFakeMediaMtx();
    open.push(...[auth, astra, mtx].map((one) => ({ close: () => one.stop() })));
    const config = configSchema.parse({
      edges: {
        astra: { control: { url: astra.url, user: 'usher', password: 'pw' } },
        mtx: { control: { type: 'mediamtx', url: mtx.url } },
      },
    });
    const ended: Ended[] = [];
    const node = { config, registry, redis, clock, random: Math.random, log: silentLog };
    const { job, cutters, givenUp } = openCutting(node, someQueues(), (order, outcome) => {
      ended.push({ ...order, outcome });
    });
    expect(['astra', 'mtx', 'plain'].map((edge) => cutters.canCut(edge))).toEqual([true, true, false]);
    await astra.play({ channel: 'a001', sessionId: '41' });
    await astra.play({ channel: 'a001', sessionId: '42' });
    const sessionId = mtx.play('rtspsessions');
    const sessions = [
      await opened({ edge: 'astra' }),
      await opened({ edge: 'mtx', sessionId, fingerprint: 'm' }),
      await opened({ edge: 'plain', fingerprint: 'p' }),
    ];
    for (const session of sessions) await requestCut(job, session, 'kicked');
    await eventually(() => ended.length === 3, patience);
    const outcomes = Object.fromEntries(ended.map(({ edge, outcome }) => [edge, outcome.kind]));
    expect(outcomes).toEqual({ astra: 'cut', mtx: 'cut', plain: 'cannot' });
    expect(ended.find(({ edge }) => edge === 'astra')).toMatchObject({
      sessionId: '42',
      fingerprint: 'f42',
      reason: 'kicked',
    });
    expect(astra.sessions.map(({ client_id }) => client_id)).toEqual(['41']);
    expect(mtx.playing).toEqual([]);
    expect(await givenUp.list()).toMatchObject([{ edge: 'plain', sessionId: '42', outcome: 'cannot' }]);
  });

  it('holds no more of a session than its name', async () => {
    const { job } = aDesk({ cutters: eachBy(hanging()) });
    await requestCut(job, await opened(), 'kicked');
    const keys = (await server.cli('KEYS', '{usher}:cuts:????????*')).split('\n');
    const stored = await Promise.all(
      keys.filter((key) => /:[a-z2-7]{26}$/.test(key)).map((key) => server.cli('HGET', key, 'data')),
    );
    expect(stored).toHaveLength(1);
    expect(JSON.parse(stored[0]!)).toEqual({
      edge: 'edge-1',
      sessions: [{ sessionId: '42', fingerprint: 'f42', reason: 'kicked' }],
      requestedAt: expect.any(Number),
    });
  });

  it('for a session that is over cuts nobody, nor who has its name now, be it the same viewer', async () => {
    const asked: string[] = [];
    const cut = ({ fingerprint }: Session): Promise<CutResult> => {
      asked.push(fingerprint);
      return Promise.resolve({ kind: 'cut' });
    };
    const { job, ended } = aDesk({ cutters: eachBy(cut) });
    const over = await opened({ sessionId: '1', fingerprint: 'over' });
    const replaced = await opened({ sessionId: '2', fingerprint: 'replaced' });
    await registry.close(over, 'idle');
    await opened({ sessionId: '2', fingerprint: 'another', state: 'active' });
    const back = await opened({ sessionId: '3', fingerprint: 'back' });
    await opened({ sessionId: '3', fingerprint: 'back', state: 'active', openedAt: Date.now() + 60_000 });
    await requestCut(job, over, 'kicked');
    await requestCut(job, replaced, 'evicted');
    await requestCut(job, back, 'kicked');
    await eventually(() => ended.length === 3, patience);
    expect(ended.map(({ outcome }) => outcome.kind)).toEqual(['gone', 'gone', 'gone']);
    expect(asked).toEqual([]);
  });

  it('is not delayed by an edge that hangs', async () => {
    const hung = new Set<string>();
    const forever = hanging();
    const cut = (session: Session, signal: AbortSignal): Promise<CutResult> => {
      if (session.edge !== 'hung') return Promise.resolve({ kind: 'cut' });
      hung.add(session.sessionId);
      return forever(session, signal);
    };
    const { job, ended } = aDesk({ cutters: eachBy(cut) });
    const names = Array.from({ length: 200 }, (_, n) => String(n));
    const waiting = await Promise.all(names.map((sessionId) => opened({ edge: 'hung', sessionId })));
    await Promise.all(waiting.map((session) => requestCut(job, session, 'kicked')));
    await eventually(() => hung.size === 4, patience);
    await requestCut(job, await opened({ edge: 'good' }), 'kicked');
    await eventually(() => ended.length === 1, patience);
    expect(ended[0]).toMatchObject({ edge: 'good', outcome: { kind: 'cut' } });
    expect(hung.size).toBe(4);
  });

  it('is tried again where the edge fails, until it is done', async () => {
    const replies: EdgeApiReply[] = [{ status: 500 }, 'reset', { garbage: 'x' }, { status: 200 }];
    const api = await anApi(() => replies.shift() ?? { status: 500 });
    const cutters = edges({ 'edge-1': { control: { type: 'http', url: `${api.url}/{session}` } } });
    const { job, ended } = aDesk({ cutters });
    await requestCut(job, await opened(), 'kicked');
    await eventually(() => ended.length === 1, patience);
    expect(ended[0]!.outcome).toEqual({ kind: 'cut' });
    expect(api.requests).toHaveLength(4);
  });

  it('is given up after its time, said, and kept for people', async () => {
    const api = await anApi(() => ({ status: 503 }));
    const control = { type: 'http', url: `${api.url}/{session}?key=hunter2`, user: 'u', password: 'hunter2' };
    const { job, ended } = aDesk({
      cutters: edges({ 'edge-1': { control } }),
      timing: { giveUpAfter: 500, firstWait: 50 },
    });
    await requestCut(job, await opened(), 'evicted');
    await eventually(() => ended.length === 1, patience);
    const detail = `${api.url}/{session}: status 503`;
    expect(ended[0]!.outcome).toEqual({ kind: 'given-up', detail });
    expect(api.requests.length).toBeGreaterThan(1);
    const given = { edge: 'edge-1', sessionId: '42', outcome: 'given-up', reason: 'evicted', detail };
    expect(await new GivenUpCuts(redis).list()).toEqual([{ ...given, at: expect.any(Number) }]);
    expect(await server.cli('KEYS', '{usher}:cuts:????????????????????????*')).toBe('');
  });

  it('ends at once at a wrong password, which is logged once, until the edge cuts again', async () => {
    const told: [level: string, why: unknown][] = [];
    const log: Log = {
      ...silentLog,
      warn: ({ why }) => void told.push(['warn', why]),
      info: ({ edge }) => void told.push(['info', edge]),
    };
    let status = 401;
    const api = await anApi(() => ({ status }));
    const cutters = edges({ 'edge-1': { control: { type: 'http', url: `${api.url}/{session}` } } });
    const { job, ended } = aDesk({ cutters, log });
    const order = async (sessionId: string): Promise<void> => {
      const before = ended.length;
      await requestCut(job, await opened({ sessionId }), 'kicked');
      await eventually(() => ended.length > before, patience);
    };
    await order('1');
    await order('2');
    status = 200;
    await order('3');
    expect(api.requests).toHaveLength(3);
    expect(ended.map(({ outcome }) => outcome.kind)).toEqual(['given-up', 'given-up', 'cut']);
    expect(told).toEqual([
      ['warn', `${api.url}/{session}: status 401: check user and password`],
      ['info', 'edge-1'],
    ]);
    expect(await new GivenUpCuts(redis).list()).toHaveLength(2);
  });

  it('given twice while it waits is one', async () => {
    const waiting: (() => void)[] = [];
    const cut = (): Promise<CutResult> =>
      new Promise((resolve) => waiting.push(() => resolve({ kind: 'cut' })));
    const { job, ended } = aDesk({ cutters: eachBy(cut) });
    const session = await opened();
    await requestCut(job, session, 'kicked');
    await eventually(() => waiting.length === 1, patience);
    await requestCut(job, session, 'evicted');
    waiting[0]!();
    await eventually(() => ended.length === 1, patience);
    // A third one, which ends after whatever the second one would have begun.
    await requestCut(job, await opened({ sessionId: '43' }), 'kicked');
    await eventually(() => waiting.length === 2, patience);
    waiting[1]!();
    await eventually(() => ended.length === 2, patience);
    expect(ended.map(({ sessionId, reason }) => [sessionId, reason])).toEqual([
      ['42', 'kicked'],
      ['43', 'kicked'],
    ]);
    await requestCut(job, session, 'kicked');
    await eventually(() => waiting.length === 3, patience);
    waiting[2]!();
  });

  it('is gone on with by another process when its own ends', async () => {
    const begun: string[] = [];
    const forever = hanging();
    const cut = (session: Session, signal: AbortSignal): Promise<CutResult> => {
      begun.push(session.sessionId);
      return forever(session, signal);
    };
    const first = aDesk({ cutters: eachBy(cut) });
    await requestCut(first.job, await opened(), 'kicked');
    await eventually(() => begun.length === 1, patience);
    await first.queues.close();
    expect(first.ended).toEqual([]);
    const second = aDesk();
    await eventually(() => second.ended.length === 1, patience);
    expect(second.ended[0]).toMatchObject({ sessionId: '42', outcome: { kind: 'cut' } });
    expect(await new GivenUpCuts(redis).list()).toEqual([]);
  });

  it('is told of again where the teller failed', async () => {
    const told: CutOutcome[] = [];
    const onResult = (_: CutSession, outcome: CutOutcome): Promise<void> => {
      told.push(outcome);
      return told.length < 3 ? Promise.reject(new Error('no')) : Promise.resolve();
    };
    const { job } = aDesk({ onResult });
    await requestCut(job, await opened(), 'kicked');
    await eventually(() => told.length === 3, patience);
    expect(told).toEqual([{ kind: 'cut' }, { kind: 'cut' }, { kind: 'cut' }]);
  });

  it('is refused where too many wait, and where Redis cannot keep it', async () => {
    const { job } = aDesk();
    const session = await opened();
    const counts = { waiting: 5_000, delayed: 4_990, active: 10, failed: 0 };
    const full = { ...neverUsed, counts: () => Promise.resolve(counts) };
    const crowded = aDesk({ queues: { open: () => full } }).job;
    await expect(requestCut(crowded, session, 'kicked')).rejects.toThrow(TooManyCutsError);
    await server.stop();
    await expect(requestCut(job, session, 'kicked')).rejects.toThrow(/./);
  });
});

describe('many sessions of one edge', () => {
  /** Revoked, each of another viewer. */
  function revoked(count: number): Promise<Session[]> {
    return Promise.all(
      Array.from({ length: count }, (_, n) =>
        opened({ sessionId: String(n), fingerprint: `f${n}`, ip: `192.0.2.${n % 250}`, user: `u${n}` }),
      ),
    );
  }
  const ordersFor = (sessions: readonly Session[]): CutSession[] =>
    sessions.map(({ edge, sessionId, fingerprint }) => ({ edge, sessionId, fingerprint, reason: 'kicked' }));

  it('are an order a page, for which the edge’s list is read a few times, however many they are', async () => {
    const auth = await startFakePortal();
    auth.allow();
    const astra = await startFakeAstra({ auth: auth.url });
    open.push(...[auth, astra].map((one) => ({ close: () => one.stop() })));
    const sessions = await revoked(250);
    for (const { sessionId, ip, channel } of sessions) await astra.play({ channel, sessionId, ip });
    const { job, ended } = aDesk({ cutters: edges({ 'edge-1': { control: { url: astra.url } } }) });
    await job.requestCuts(ordersFor(sessions));
    await eventually(() => ended.length === 250, patience);
    expect(new Set(ended.map(({ outcome }) => outcome.kind))).toEqual(new Set(['cut']));
    expect(new Set(ended.map(({ sessionId }) => sessionId)).size).toBe(250);
    expect(astra.sessions).toEqual([]);
    const count = (name: string): number => astra.commands.filter((one) => one === name).length;
    expect(count('close-session')).toBe(250);
    // Six, unless the machine is so slow that a page is not gone through at once.
    expect(count('sessions')).toBeLessThan(25);
  });

  it('have each an end of its own, and only the rest is tried again', async () => {
    const asked: string[][] = [];
    const results: Record<string, CutResult[]> = {
      0: [{ kind: 'cut' }],
      1: [{ kind: 'gone' }],
      2: [
        { kind: 'failed', detail: 'busy', retry: true },
        { kind: 'failed', detail: 'busy', retry: true },
        { kind: 'cut' },
      ],
      3: [{ kind: 'failed', detail: 'two may be it', retry: false }],
      4: [{ kind: 'cannot', detail: 'not told how' }],
    };
    const cutAll: EdgeCutters['cutAll'] = async (_, sessions) => {
      asked.push(sessions.map(({ sessionId }) => sessionId));
      // The last one is not come to at first.
      return sessions.map(({ sessionId }) =>
        sessionId === '5' && asked.length === 1
          ? undefined
          : (results[sessionId]?.shift() ?? { kind: 'cut' }),
      );
    };
    const { job, ended } = aDesk({ cutters: { cutAll } });
    await job.requestCuts(ordersFor(await revoked(6)));
    await eventually(() => ended.length === 6, patience);
    expect(asked).toEqual([['0', '1', '2', '3', '4', '5'], ['5', '2'], ['2']]);
    expect(Object.fromEntries(ended.map(({ sessionId, outcome }) => [sessionId, outcome]))).toEqual({
      0: { kind: 'cut' },
      1: { kind: 'gone' },
      2: { kind: 'cut' },
      3: { kind: 'given-up', detail: 'two may be it' },
      4: { kind: 'cannot', detail: 'not told how' },
      5: { kind: 'cut' },
    });
    const kept = await new GivenUpCuts(redis).list();
    expect(kept.map(({ sessionId, outcome }) => [sessionId, outcome])).toEqual([
      ['4', 'cannot'],
      ['3', 'given-up'],
    ]);
  });

  it('as version N-1 ordered them, one by one, are cut too', async () => {
    const session = await opened();
    let work: JobDefinition<unknown>['work'] = wrong;
    const queues = {
      open: (definition: JobDefinition<unknown>) => {
        work = definition.work;
        return { ...neverUsed, counts: wrong as never };
      },
    };
    const { ended } = aDesk({ queues: queues as never });
    const { edge, sessionId, fingerprint } = session;
    const data = { edge, sessionId, fingerprint, shard: '03', reason: 'kicked', requestedAt: Date.now() };
    const job = { id: '1', data, failures: 0, addedAt: 0, update: wrong };
    await work(job, new AbortController().signal);
    expect(ended).toEqual([
      { edge, sessionId, fingerprint, shard: '03', reason: 'kicked', outcome: { kind: 'cut' } },
    ]);
  });

  it('wait for an edge that has enough to do, and are not given up for that', async () => {
    let now = Date.now();
    const waiting: (() => void)[] = [];
    const cutAll: EdgeCutters['cutAll'] = (_, sessions) =>
      new Promise((resolve) => waiting.push(() => resolve(sessions.map(() => ({ kind: 'cut' })))));
    const { job, ended } = aDesk({
      cutters: { cutAll },
      clock: { ...clock, now: () => now },
      timing: { giveUpAfter: 60_000, firstWait: 20, busyWait: 20 },
    });
    await job.requestCuts(ordersFor(await revoked(500)));
    await eventually(() => waiting.length === 4, patience);
    now += 120_000;
    waiting.splice(0).forEach((answer) => answer());
    await eventually(() => waiting.length === 1, patience);
    waiting.splice(0).forEach((answer) => answer());
    await eventually(() => ended.length === 500, patience);
    expect(new Set(ended.map(({ outcome }) => outcome.kind))).toEqual(new Set(['cut']));
  });

  it('are gone on with at an edge that is slow, however long it takes', async () => {
    let now = Date.now();
    const asked: number[] = [];
    const cutAll: EdgeCutters['cutAll'] = async (_, sessions) => {
      asked.push(sessions.length);
      now += 30_000;
      return sessions.map((_session, at) => (at < 25 ? { kind: 'cut' } : undefined));
    };
    const timing = { giveUpAfter: 60_000, firstWait: 60_000, busyWait: 20 };
    const { job, ended } = aDesk({ cutters: { cutAll }, clock: { ...clock, now: () => now }, timing });
    await job.requestCuts(ordersFor(await revoked(100)));
    await eventually(() => ended.length === 100, patience);
    expect(asked).toEqual([100, 75, 50, 25]);
    expect(new Set(ended.map(({ outcome }) => outcome.kind))).toEqual(new Set(['cut']));
  });

  it('that are too many to be ordered are given up, said and kept', async () => {
    const counts = { waiting: 10_000, delayed: 0, active: 0, failed: 0 };
    const full = { ...neverUsed, counts: () => Promise.resolve(counts) };
    const { job, ended } = aDesk({ queues: { open: () => full } });
    const fields = (n: number) =>
      new Map(
        Object.entries({
          type: 'session.revoked',
          session: `edge-1:${n}`,
          fingerprint: `f${n}`,
          reason: 'evicted',
        }),
      );
    const entries = [1, 2].map((n) => ({ id: `${n}-0`, fields: fields(n) }));
    await cutRevoked(job)('03', entries);
    expect(ended.map(({ sessionId, shard, outcome }) => [sessionId, shard, outcome.kind])).toEqual([
      ['1', '03', 'given-up'],
      ['2', '03', 'given-up'],
    ]);
    expect(await new GivenUpCuts(redis).list()).toMatchObject([
      { sessionId: '2', outcome: 'given-up', reason: 'evicted' },
      { sessionId: '1' },
    ]);
  });
});

/** An edge that never answers; it ends with the process. */
function hanging(): (session: Session, signal: AbortSignal) => Promise<CutResult> {
  return (_, signal) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({ kind: 'failed', detail: 'ended', retry: true }));
    });
}

const wrong = (): Promise<void> => Promise.reject(new Error('not to be used'));
const neverUsed = { add: wrong, addAll: wrong, repeat: wrong, stopRepeating: wrong, promote: wrong };
