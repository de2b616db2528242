import { silentLog } from '#usher/domain';
import type { Check, Session } from '#usher/domain';
import { ClusterClock, connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { aSession } from '../registry/for-tests.js';
import { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { OutageLedger } from './outage-ledger.js';
import type { OutageResult } from './outage-line.js';
import type { OutageName } from './outage-names.js';
import { OutageReports } from './outage-report.js';
import { OutageStore } from './outage-store.js';
import { noteLostNodes, settleLines } from './settle-outage.js';

const MINUTE = 60_000;

let server: RedisProcess;
let redis: RedisClient;
let real: ClusterClock;
let registry: RedisSessionRegistry;
let store: OutageStore;
/** How long ago it is for the ledgers, ms; the registry goes by Redis’ own clock. */
let ago: number;
const clock = { now: () => real.now() - ago, monotonic: () => real.monotonic() - ago };

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  real = new ClusterClock(redis);
  await real.start();
  registry = new RedisSessionRegistry(redis, real, { shards: 4 });
  store = new OutageStore(redis);
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  ago = 10 * MINUTE;
});

afterAll(async () => {
  real.stop();
  await redis.close();
  await server.stop();
});

const ledgerOf = (node: string): OutageLedger =>
  new OutageLedger({
    store,
    clock,
    log: silentLog,
    node,
    tell: () => undefined,
    seal: () => '',
    rechecked: new Set(),
    limits: new Map(),
    peers: () => new Map(),
    most: 1_000,
  });

const sessionOf = (sessionId: string, part: Partial<Session> = {}): Session =>
  aSession({
    sessionId,
    fingerprint: `f${sessionId}`.padEnd(26, '0'),
    source: 'fail-open',
    state: 'on-trust',
    user: '',
    presence: 'listed',
    openedAt: clock.now(),
    aliveUntil: real.now() + 3_600_000,
    ...part,
  });

async function letIn(ledger: OutageLedger, session: Session): Promise<void> {
  await registry.open(session);
  const { edge, sessionId, fingerprint } = session;
  ledger.note({ edge, sessionId } as Check, {
    allow: true,
    source: 'fail-open',
    because: 'backend',
    backend: 'portal',
    fingerprint,
    session,
  });
}

/** As the registry tells it, some time ago by the ledgers' clock. */
async function closedThen(session: Session): Promise<void> {
  await registry.close(session, 'closed-by-edge');
  for (const shard of ['00', '01', '02', '03']) {
    const key = `usher:events:{${shard}}`;
    const [last] = (await redis.call('XREVRANGE', [key, '+', '-', 'COUNT', 1])) as [string, string[]][];
    if (last === undefined || !last[1].includes('session.closed')) continue;
    const fields = [...last[1]];
    fields[fields.indexOf('at') + 1] = String(clock.now());
    await redis.call('XDEL', [key, last[0]]);
    await redis.call('XADD', [key, '*', ...fields]);
  }
}

async function settle(lives: (node: string) => boolean, unasked: OutageResult | undefined = 'not-checked') {
  const { ended } = await store.pending('portal');
  const name: OutageName = ended[0]!;
  await noteLostNodes(store, name, lives, clock.now());
  const record = (await store.record(name))!;
  const playing: string[] = [];
  const settling = { store, redis, clock, shards: 4, registry, lives, unasked: () => unasked };
  for await (const { session } of settleLines(settling, { ...record, end: record.end! })) {
    playing.push(session.sessionId);
  }
  await store.settled(name, clock.now());
  const reports = new OutageReports(store, clock);
  const [summary] = await reports.list(['portal']);
  return { report: (await reports.report(summary!.id))!, playing: playing.sort((a, b) => (a < b ? -1 : 1)) };
}

const turn = (ledger: OutageLedger, closed: boolean): void =>
  ledger.turned('portal', { closed, since: clock.now(), downSince: closed ? 0 : clock.now() });

describe('settling an outage', () => {
  it('says who is gone and who plays on, and whose time nobody knows', async () => {
    const ledger = ledgerOf('one');
    turn(ledger, false);
    const [listed, assumed, gone] = [sessionOf('1'), sessionOf('2', { presence: 'assumed' }), sessionOf('3')];
    for (const session of [listed, assumed, gone]) await letIn(ledger, session);
    await ledger.round();
    ago -= 2 * MINUTE;
    turn(ledger, true);
    await ledger.round();
    await registry.close(gone, 'closed-by-edge');
    const { report, playing } = await settle(() => true);
    expect(playing).toEqual(['1', '2']);
    expect(report.results.onTrust).toEqual({ gone: 1, 'not-checked': 2 });
    expect(report.columns.onTrust).toEqual({ sessions: 3, viewerMinutes: expect.closeTo(6, 1) });
    expect(report.estimated.onTrust).toEqual({ sessions: 1, viewerMinutes: expect.closeTo(2, 1) });
    expect(report.incomplete).toEqual([]);
    expect(report.settledAt).toBeDefined();
    expect(await store.pending('portal')).toMatchObject({ ended: [] });
  });

  it('finds the ends that a dead gateway did not hear of, and says what is incomplete', async () => {
    const [dead, living] = [ledgerOf('dead'), ledgerOf('living')];
    for (const ledger of [dead, living]) turn(ledger, false);
    const [left, stays] = [sessionOf('1'), sessionOf('2')];
    await letIn(dead, left);
    await letIn(dead, stays);
    await letIn(living, sessionOf('3'));
    for (const ledger of [dead, living]) await ledger.round();
    const heardLast = (await store.nodes((await store.pending('portal')).open.get('backend')!)).find(
      ({ node }) => node === 'dead',
    )!.at;
    ago -= MINUTE;
    await closedThen(left);
    ago -= 2 * MINUTE;
    turn(living, true);
    await living.round();
    const { report } = await settle((node) => node === 'living');
    // One minute of who left, three of each who stayed.
    expect(report.columns.onTrust).toEqual({ sessions: 3, viewerMinutes: expect.closeTo(7, 1) });
    expect(report.results.onTrust).toEqual({ gone: 1, 'not-checked': 2 });
    expect(report.incomplete).toEqual([{ node: 'dead', from: heardLast, to: expect.any(Number) }]);
  });

  it('finds the ends that came after a gateway had left, which is complete', async () => {
    const [leaving, living] = [ledgerOf('leaving'), ledgerOf('living')];
    for (const ledger of [leaving, living]) turn(ledger, false);
    const left = sessionOf('1');
    await letIn(leaving, left);
    await living.round();
    await leaving.stop();
    ago -= MINUTE;
    await closedThen(left);
    ago -= MINUTE;
    turn(living, true);
    await living.round();
    const { report } = await settle((node) => node === 'living');
    expect(report.columns.onTrust).toEqual({ sessions: 1, viewerMinutes: expect.closeTo(1, 1) });
    expect(report.incomplete).toEqual([]);
  });

  it('takes back that a process is lost when it comes with the rest', async () => {
    const [away, living] = [ledgerOf('away'), ledgerOf('living')];
    for (const ledger of [away, living]) {
      turn(ledger, false);
      await ledger.round();
    }
    turn(living, true);
    await living.round();
    expect((await settle((node) => node === 'living')).report.incomplete).toHaveLength(1);
    turn(away, true);
    await away.round();
    const reports = new OutageReports(store, clock);
    expect((await reports.list(['portal']))[0]!.incomplete).toEqual([]);
  });

  it('lets what the backend said count for more than that a session is gone', async () => {
    const ledger = ledgerOf('one');
    turn(ledger, false);
    const session = sessionOf('1');
    await letIn(ledger, session);
    await ledger.round();
    turn(ledger, true);
    await ledger.round();
    const name = (await store.pending('portal')).ended[0]!;
    for await (const { field } of store.lines(name)) {
      await store.settleLines(name, clock.now(), [{ field, column: 'onTrust', result: 'cut' }], 1);
    }
    // Cut, it is closed.
    ledger.closed([session]);
    await ledger.round();
    expect((await settle(() => true)).report.results.onTrust).toEqual({ cut: 1 });
  });
});
