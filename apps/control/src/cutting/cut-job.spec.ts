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
import { Queues } from '../queues/queues.js';
import { CutJob, TooManyCutsError } from './cut-job.js';
import type { CutJobParts } from './cut-job.js';
import type { CutOrder, CutOutcome } from './cut-order.js';
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

interface Ended extends CutOrder {
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
    cutters: { cut: () => Promise.resolve({ kind: 'cut' }) },
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
    for (const session of sessions) await job.requestCut(session, 'kicked');
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
    expect(await givenUp.list()).toEqual([]);
  });

  it('holds no more of a session than its name', async () => {
    const { job } = aDesk({ cutters: { cut: hanging() } });
    await job.requestCut(await opened(), 'kicked');
    const keys = (await server.cli('KEYS', '{usher}:cuts:????????*')).split('\n');
    const stored = await Promise.all(
      keys.filter((key) => /:[a-z2-7]{26}$/.test(key)).map((key) => server.cli('HGET', key, 'data')),
    );
    expect(stored).toHaveLength(1);
    expect(Object.keys(JSON.parse(stored[0]!) as object).sort()).toEqual([
      'edge',
      'fingerprint',
      'reason',
      'requestedAt',
      'sessionId',
    ]);
  });

  it('for a session that is over cuts nobody, nor who has its name now, be it the same viewer', async () => {
    const asked: string[] = [];
    const cut = ({ fingerprint }: Session): Promise<CutResult> => {
      asked.push(fingerprint);
      return Promise.resolve({ kind: 'cut' });
    };
    const { job, ended } = aDesk({ cutters: { cut } });
    const over = await opened({ sessionId: '1', fingerprint: 'over' });
    const replaced = await opened({ sessionId: '2', fingerprint: 'replaced' });
    await registry.close(over, 'idle');
    await opened({ sessionId: '2', fingerprint: 'another', state: 'active' });
    const back = await opened({ sessionId: '3', fingerprint: 'back' });
    await opened({ sessionId: '3', fingerprint: 'back', state: 'active', openedAt: Date.now() + 60_000 });
    await job.requestCut(over, 'kicked');
    await job.requestCut(replaced, 'evicted');
    await job.requestCut(back, 'kicked');
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
    const { job, ended } = aDesk({ cutters: { cut } });
    const names = Array.from({ length: 200 }, (_, n) => String(n));
    const waiting = await Promise.all(names.map((sessionId) => opened({ edge: 'hung', sessionId })));
    await Promise.all(waiting.map((session) => job.requestCut(session, 'kicked')));
    await eventually(() => hung.size === 4, patience);
    await job.requestCut(await opened({ edge: 'good' }), 'kicked');
    await eventually(() => ended.length === 1, patience);
    expect(ended[0]).toMatchObject({ edge: 'good', outcome: { kind: 'cut' } });
    expect(hung.size).toBe(4);
  });

  it('is tried again where the edge fails, until it is done', async () => {
    const replies: EdgeApiReply[] = [{ status: 500 }, 'reset', { garbage: 'x' }, { status: 200 }];
    const api = await anApi(() => replies.shift() ?? { status: 500 });
    const cutters = edges({ 'edge-1': { control: { type: 'http', url: `${api.url}/{session}` } } });
    const { job, ended } = aDesk({ cutters });
    await job.requestCut(await opened(), 'kicked');
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
    await job.requestCut(await opened(), 'evicted');
    await eventually(() => ended.length === 1, patience);
    const detail = `${api.url}/{session}: status 503`;
    expect(ended[0]!.outcome).toEqual({ kind: 'given-up', detail });
    expect(api.requests.length).toBeGreaterThan(1);
    const given = { edge: 'edge-1', sessionId: '42', reason: 'evicted', detail };
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
      await job.requestCut(await opened({ sessionId }), 'kicked');
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
    const { job, ended } = aDesk({ cutters: { cut } });
    const session = await opened();
    await job.requestCut(session, 'kicked');
    await eventually(() => waiting.length === 1, patience);
    await job.requestCut(session, 'evicted');
    waiting[0]!();
    await eventually(() => ended.length === 1, patience);
    // A third one, which ends after whatever the second one would have begun.
    await job.requestCut(await opened({ sessionId: '43' }), 'kicked');
    await eventually(() => waiting.length === 2, patience);
    waiting[1]!();
    await eventually(() => ended.length === 2, patience);
    expect(ended.map(({ sessionId, reason }) => [sessionId, reason])).toEqual([
      ['42', 'kicked'],
      ['43', 'kicked'],
    ]);
    await job.requestCut(session, 'kicked');
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
    const first = aDesk({ cutters: { cut } });
    await first.job.requestCut(await opened(), 'kicked');
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
    const onResult = (_: CutOrder, outcome: CutOutcome): Promise<void> => {
      told.push(outcome);
      return told.length < 3 ? Promise.reject(new Error('no')) : Promise.resolve();
    };
    const { job } = aDesk({ onResult });
    await job.requestCut(await opened(), 'kicked');
    await eventually(() => told.length === 3, patience);
    expect(told).toEqual([{ kind: 'cut' }, { kind: 'cut' }, { kind: 'cut' }]);
  });

  it('is refused where too many wait, and where Redis cannot keep it', async () => {
    const { job } = aDesk();
    const session = await opened();
    const counts = { waiting: 5_000, delayed: 4_990, active: 10, failed: 0 };
    const full = { ...neverUsed, counts: () => Promise.resolve(counts) };
    const crowded = aDesk({ queues: { open: () => full } }).job;
    await expect(crowded.requestCut(session, 'kicked')).rejects.toThrow(TooManyCutsError);
    await server.stop();
    await expect(job.requestCut(session, 'kicked')).rejects.toThrow(/./);
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
