import { silentLog } from '#usher/domain';
import type { Check } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { aSession } from '../registry/for-tests.js';
import { OutageLedger, type LedgerAnswer, type OutageLedgerParts } from './outage-ledger.js';
import type { OutageEvent } from './outage-events.js';
import { OutageReports } from './outage-report.js';
import { OUTAGE_BOUNDS, OutageStore, type OutageBounds } from './outage-store.js';
import { noteLostNodes } from './settle-outage.js';

const MINUTE = 60_000;

let server: RedisProcess;
let redis: RedisClient;
let clock: ManualClock;
let told: [OutageEvent, Readonly<Record<string, unknown>>][];

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  clock = new ManualClock();
  told = [];
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

function ledgerOf(node: string, parts: Partial<OutageLedgerParts> = {}, bounds: Partial<OutageBounds> = {}) {
  return new OutageLedger({
    store: new OutageStore(redis, { ...OUTAGE_BOUNDS, ...bounds }),
    clock,
    log: silentLog,
    node,
    tell: (type, _, facts) => told.push([type, facts]),
    seal: (check, name, field) => `sealed ${check.query} for ${name.tail} ${field}`,
    rechecked: new Set(),
    limits: new Map(),
    peers: () => new Map(),
    most: 1_000,
    ...parts,
  });
}

const check = (sessionId: string): Check => ({
  id: sessionId,
  dialect: 'astra',
  edge: 'astra-1',
  sessionId,
  sessionGiven: true,
  channel: 'a001',
  ip: '192.0.2.7',
  path: '/a001',
  userAgent: 'VLC',
  host: '',
  origin: '',
  query: `token=${sessionId}`,
});

const letIn = (
  ledger: OutageLedger,
  sessionId: string,
  source: LedgerAnswer['source'] = 'fail-open',
  because: 'backend' | 'us' = 'backend',
): void => {
  const viewerKey = `viewer-${sessionId}`;
  const session = aSession({
    sessionId,
    source,
    user: '',
    viewerKey,
    fingerprint: `f${sessionId}`.padEnd(26, '0'),
  });
  const { fingerprint } = session;
  ledger.note(check(sessionId), { allow: true, source, because, backend: 'portal', fingerprint, session });
};
const decided = (ledger: OutageLedger, sessionId: string, allow: boolean): void =>
  ledger.note(check(sessionId), {
    allow,
    source: 'backend',
    backend: 'portal',
    fingerprint: `f${sessionId}`.padEnd(26, '0'),
  });
const down = (ledger: OutageLedger): void =>
  ledger.turned('portal', { closed: false, since: clock.now(), downSince: clock.now() });
const up = (ledger: OutageLedger): void =>
  ledger.turned('portal', { closed: true, since: clock.now(), downSince: 0 });

const reports = (): OutageReports => new OutageReports(new OutageStore(redis), clock);
const listed = () => reports().list(['portal']);
const theReport = async () => {
  const all = await listed();
  expect(all).toHaveLength(1);
  return (await reports().report(all[0]!.id))!;
};
const column = (sessions: number, viewerMinutes: number) => ({ sessions, viewerMinutes });

describe('while an operator keeps a backend from being asked', () => {
  const trusted = (ledger: OutageLedger, sessionId: string): void => {
    const session = aSession({ sessionId, source: 'fail-open' });
    const standIn = { allow: true, source: 'fail-open', because: 'backend', backend: 'portal' } as const;
    ledger.note(check(sessionId), { ...standIn, switched: true, session });
  };

  it('no outage begins', async () => {
    const ledger = ledgerOf('one');
    trusted(ledger, '1');
    await ledger.round();
    expect([told, await listed()]).toEqual([[], []]);
  });

  it('one that lasts goes on', async () => {
    const ledger = ledgerOf('one');
    down(ledger);
    trusted(ledger, '1');
    await ledger.round();
    expect((await theReport()).columns.onTrust.sessions).toBe(1);
  });
});

describe('the ledger of an outage', () => {
  it('is opened once for two gateways, and has three columns with the minutes of each', async () => {
    const [one, two] = [ledgerOf('one'), ledgerOf('two')];
    for (const ledger of [one, two]) down(ledger);
    letIn(one, '1', 'stale');
    letIn(one, '2', 'known');
    letIn(two, '3', 'fail-open');
    letIn(two, '4', 'fail-open');
    await Promise.all([one.round(), two.round()]);
    clock.advance(2 * MINUTE);
    two.closed([{ edge: 'astra-1', sessionId: '4' }]);
    clock.advance(3 * MINUTE);
    for (const ledger of [one, two]) {
      up(ledger);
      await ledger.round();
    }
    const report = await theReport();
    expect(report).toMatchObject({
      backend: 'portal',
      fault: 'backend',
      suspended: true,
      lines: 4,
      incomplete: [],
    });
    expect(report.end! - report.start).toBe(5 * MINUTE);
    expect(report.columns).toEqual({ carried: column(1, 5), known: column(1, 5), onTrust: column(2, 7) });
    expect(report.viewers).toEqual({ carried: 1, known: 1, onTrust: 2 });
    expect(report.results.onTrust).toEqual({ gone: 1 });
    expect(told.map(([type]) => type)).toEqual(['outage.started', 'outage.ended']);
  });

  it('counts a session once however often it is let in, and through whichever gateway', async () => {
    const [one, two] = [ledgerOf('one'), ledgerOf('two')];
    for (const ledger of [one, two]) {
      down(ledger);
      letIn(ledger, '1');
      letIn(ledger, '1');
      await ledger.round();
    }
    clock.advance(MINUTE);
    letIn(one, '1');
    await one.round();
    expect((await theReport()).columns.onTrust).toEqual(column(1, 1));
  });

  it('counts nobody twice when a write is repeated whose answer was lost', async () => {
    const store = new OutageStore(redis);
    const write = store.write.bind(store);
    let lose = 2;
    store.write = async (...given) => {
      const reply = await write(...given);
      if (lose-- > 0) throw new Error('the answer is lost');
      return reply;
    };
    const ledger = ledgerOf('one', { store });
    letIn(ledger, '1');
    letIn(ledger, '2');
    await ledger.round();
    clock.advance(MINUTE);
    ledger.closed([{ edge: 'astra-1', sessionId: '2' }]);
    await ledger.round();
    await ledger.round();
    clock.advance(MINUTE);
    expect((await theReport()).columns.onTrust).toEqual(column(2, 3));
  });

  it('keeps lines up to a number, and exact totals beyond', async () => {
    const [one, two] = [ledgerOf('one', {}, { lines: 10 }), ledgerOf('two', {}, { lines: 10 })];
    for (let i = 0; i < 250; i += 1) {
      letIn(one, `one-${i}`);
      letIn(two, `two-${i}`);
    }
    await Promise.all([one.round(), two.round()]);
    clock.advance(MINUTE);
    one.closed(Array.from({ length: 250 }, (_, i) => ({ edge: 'astra-1', sessionId: `one-${i}` })));
    await one.round();
    clock.advance(MINUTE);
    const report = await theReport();
    expect(report.columns.onTrust).toEqual(column(500, 250 + 500));
    expect(report).toMatchObject({ lines: 10, withoutLine: 490 });
  });

  it('says what became of those who ask again by themselves', async () => {
    const ledger = ledgerOf('one');
    down(ledger);
    for (const id of ['good', 'bad', 'silent']) letIn(ledger, id);
    await ledger.round();
    clock.advance(MINUTE);
    up(ledger);
    clock.advance(MINUTE);
    decided(ledger, 'good', true);
    decided(ledger, 'bad', false);
    await ledger.round();
    const report = await theReport();
    expect(report.results.onTrust).toEqual({ kept: 1, cut: 1 });
    expect(report.columns.onTrust).toEqual(column(3, 3));
  });

  it('resumes a session that comes back: one session, and the minutes that it played', async () => {
    const ledger = ledgerOf('one');
    down(ledger);
    letIn(ledger, '1');
    await ledger.round();
    clock.advance(MINUTE);
    ledger.closed([{ edge: 'astra-1', sessionId: '1' }]);
    await ledger.round();
    clock.advance(5 * MINUTE);
    letIn(ledger, '1');
    await ledger.round();
    clock.advance(MINUTE);
    const other = ledgerOf('two');
    down(other);
    ledger.closed([{ edge: 'astra-1', sessionId: '1' }]);
    await ledger.round();
    letIn(other, '1');
    await other.round();
    clock.advance(MINUTE);
    expect((await theReport()).columns.onTrust).toEqual(column(1, 3));
  });

  it('keeps our own faults apart from the backend’s, and ends those when a minute was quiet', async () => {
    const ledger = ledgerOf('one');
    // Scripts go by Redis’ own clock.
    clock.set(Date.now() - 3 * MINUTE);
    letIn(ledger, '1', 'overload', 'us');
    letIn(ledger, '2', 'fail-open', 'backend');
    await ledger.round();
    clock.advance(2 * MINUTE);
    await ledger.round();
    const all = await listed();
    const [backend, us] = [
      all.find(({ fault }) => fault === 'backend')!,
      all.find(({ fault }) => fault === 'us')!,
    ];
    expect([backend, us].map(({ fault, suspended, end, start }) => [fault, suspended, end! - start])).toEqual(
      [
        ['backend', false, MINUTE],
        ['us', false, MINUTE],
      ],
    );
    expect(all.map(({ columns }) => columns.onTrust)).toEqual([column(1, 1), column(1, 1)]);
  });

  it('is kept without lines where no viewer was affected', async () => {
    const ledger = ledgerOf('one');
    down(ledger);
    await ledger.round();
    up(ledger);
    await ledger.round();
    expect(await theReport()).toMatchObject({ lines: 0, columns: { onTrust: column(0, 0) } });
    expect(await server.cli('KEYS', 'usher:outage:*:lines')).toBe('');
  });

  it('holds viewers of before the breaker’s turn, in the one outage', async () => {
    const ledger = ledgerOf('one');
    letIn(ledger, '1');
    await ledger.round();
    down(ledger);
    letIn(ledger, '2');
    await ledger.round();
    expect(await theReport()).toMatchObject({ suspended: true, columns: { onTrust: column(2, 0) } });
  });

  it('is written again when Redis comes back empty while it lasts', async () => {
    const ledger = ledgerOf('one');
    down(ledger);
    letIn(ledger, '1');
    await ledger.round();
    clock.advance(MINUTE);
    await redis.call('FLUSHALL', []);
    for (let i = 0; i < 3; i += 1) {
      clock.advance(2_000);
      await ledger.round();
    }
    clock.advance(MINUTE - 6_000);
    expect(await theReport()).toMatchObject({ lines: 1, columns: { onTrust: column(1, 2) } });
  });

  it('is written again by every process that knows of it, whichever is the first to notice', async () => {
    const [one, two] = [ledgerOf('one'), ledgerOf('two')];
    for (const ledger of [one, two]) down(ledger);
    letIn(one, '1');
    letIn(two, '2');
    // The same session through both: one of them counts it.
    for (const ledger of [one, two]) letIn(ledger, '3');
    for (const ledger of [one, two]) await ledger.round();
    clock.advance(MINUTE);
    await redis.call('FLUSHALL', []);
    for (let i = 0; i < 3; i += 1) {
      clock.advance(2_000);
      // Under the name that the other one knows already.
      await one.round();
      await two.round();
    }
    clock.advance(MINUTE - 6_000);
    expect(await theReport()).toMatchObject({ lines: 3, columns: { onTrust: column(3, 6) } });
  });

  it('says so where Redis lost what a process had written that is dead by now', async () => {
    const peers = new Map<string, number>();
    const [one, two] = [ledgerOf('one', { peers: () => peers }), ledgerOf('two')];
    for (const ledger of [one, two]) down(ledger);
    letIn(one, '1');
    letIn(two, '2');
    peers.set('two', clock.now());
    for (const ledger of [one, two]) await ledger.round();
    const since = clock.now();
    // It dies, and nobody hears of it any more.
    peers.clear();
    clock.advance(MINUTE);
    await redis.call('FLUSHALL', []);
    await one.round();
    await one.round();
    const store = new OutageStore(redis);
    const [name] = await store.names('portal', 1);
    await noteLostNodes(store, name!, (node) => node === 'one', clock.now());
    expect(await theReport()).toMatchObject({
      lines: 1,
      incomplete: [{ node: 'two', from: since, to: clock.now() }],
    });
  });

  it('takes what a process without Redis brings late', async () => {
    const [one, late] = [ledgerOf('one'), ledgerOf('late')];
    for (const ledger of [one, late]) down(ledger);
    letIn(late, '1');
    await one.round();
    clock.advance(MINUTE);
    up(one);
    await one.round();
    clock.advance(MINUTE);
    up(late);
    await late.round();
    expect((await theReport()).columns.onTrust).toEqual(column(1, 1));
  });

  it('holds no token, and everything of it ends', async () => {
    const ledger = ledgerOf('one', { rechecked: new Set(['portal']) });
    down(ledger);
    letIn(ledger, '1');
    letIn(ledger, '2', 'stale');
    await ledger.round();
    const keys = (await server.cli('KEYS', 'usher:outage:*')).split('\n').filter(Boolean);
    expect(keys).toHaveLength(6);
    for (const key of keys) expect(Number(await server.cli('PTTL', key))).toBeGreaterThan(0);
    const lines = keys.filter((key) => !key.endsWith(':checks'));
    for (const key of lines.filter((one) => !one.endsWith('{portal}'))) {
      expect(await server.cli('HGETALL', key)).not.toContain('token=');
    }
    const checks = await server.cli(
      'HVALS',
      keys.find((key) => key.endsWith(':checks'))!,
    );
    expect(checks).toMatch(/^sealed token=1 for \d+ t\|astra-1:1\|f1000000$/);
  });

  it('keeps outages up to a number: those that no breaker saw go first', async () => {
    const bounds = { outages: 3, allLines: 1_000 };
    for (let i = 0; i < 5; i += 1) {
      const ledger = ledgerOf(`n${i}`, {}, bounds);
      if (i === 0) down(ledger);
      letIn(ledger, `${i}`);
      await ledger.round();
      if (i === 0) up(ledger);
      await ledger.round();
      const { id } = (await listed())[0]!;
      const store = new OutageStore(redis);
      await store.end({ backend: 'portal', tail: id.split('~')[1]! }, 'backend', clock.now(), 0);
      clock.advance(10 * MINUTE);
    }
    const all = await listed();
    expect(all.map(({ suspended }) => suspended)).toEqual([false, false, true]);
  });

  it('tells as CSV who was let in, and nothing that a spreadsheet would run', async () => {
    const ledger = ledgerOf('one');
    down(ledger);
    letIn(ledger, '=1+1');
    await ledger.round();
    clock.advance(90_000);
    up(ledger);
    await ledger.round();
    const { id } = await theReport();
    let text = '';
    for await (const piece of (await reports().csv(id))!) text += piece;
    const [head, line, rest] = text.split('\r\n');
    expect(head).toBe(
      'column,edge,session,user,viewer,channel,ip,from,until,minutes,estimated,result,resultAt',
    );
    expect(line).toMatch(
      /^on trust,astra-1,'=1\+1,,viewer-=1\+1,a001,192\.0\.2\.7,2026-01-01T00:00:00\.000Z,2026-01-01T00:01:30\.000Z,1\.5,no,,$/,
    );
    expect(rest).toBe('');
    expect(await reports().csv('portal~1')).toBeUndefined();
    expect(await reports().report('no id')).toBeUndefined();
  });
});

describe('letting in on trust', () => {
  const limits = (given: object) => ({ limits: new Map([['portal', given]]) });

  it('ends at maxOutage, which is announced a tenth of it before, once for the cluster', async () => {
    const ledgers = [
      ledgerOf('one', limits({ maxOutage: 10 * MINUTE })),
      ledgerOf('two', limits({ maxOutage: 10 * MINUTE })),
    ];
    for (const ledger of ledgers) down(ledger);
    const at = async (ms: number) => {
      clock.advance(ms);
      for (const ledger of ledgers) await ledger.round();
      return ledgers.map((ledger) => ledger.trustEnded('portal'));
    };
    expect(await at(9 * MINUTE - 1)).toEqual([undefined, undefined]);
    expect(told.map(([type]) => type)).toEqual(['outage.started']);
    await at(1);
    expect(told.map(([type]) => type)).toEqual(['outage.started', 'outage.expiring']);
    expect(await at(MINUTE)).toEqual(['maxOutage', 'maxOutage']);
    expect(told.at(-1)).toEqual(['outage.expired', expect.objectContaining({ limit: 'maxOutage' })]);
    expect((await theReport()).trustEnded).toMatchObject({ limit: 'maxOutage' });
    for (const ledger of ledgers) up(ledger);
    expect(ledgers[0]!.trustEnded('portal')).toBeUndefined();
  });

  it('is announced ten minutes before a long maxOutage', async () => {
    const ledger = ledgerOf('one', limits({ maxOutage: 600 * MINUTE }));
    down(ledger);
    clock.advance(590 * MINUTE - 1);
    await ledger.round();
    expect(told.map(([type]) => type)).not.toContain('outage.expiring');
    clock.advance(1);
    await ledger.round();
    expect(told.map(([type]) => type)).toContain('outage.expiring');
  });

  it('goes by the outage’s beginning in a gateway that starts later, too', async () => {
    const one = ledgerOf('one', limits({ maxOutage: 10 * MINUTE }));
    down(one);
    await one.round();
    clock.advance(9 * MINUTE);
    const late = ledgerOf('late', limits({ maxOutage: 10 * MINUTE }));
    down(late);
    await late.round();
    clock.advance(MINUTE);
    expect(late.trustEnded('portal')).toBe('maxOutage');
  });

  it('does not end by maxOutage where the breaker is closed', async () => {
    const ledger = ledgerOf('one', limits({ maxOutage: MINUTE }));
    letIn(ledger, '1');
    clock.advance(2 * MINUTE);
    expect(ledger.trustEnded('portal')).toBeUndefined();
  });

  it.each([
    [true, 'failOpenBudget'],
    [false, undefined],
  ])('enforce %p: a budget of the whole cluster that is spent ends it: %p', async (enforce, expected) => {
    const budget = { viewers: 4, enforce };
    const [one, two] = [ledgerOf('one', limits({ budget })), ledgerOf('two', limits({ budget }))];
    for (const [place, ledger] of [one, two].entries()) {
      down(ledger);
      letIn(ledger, `${place}-first`);
      letIn(ledger, `${place}-second`);
    }
    await one.round();
    expect(one.trustEnded('portal')).toBeUndefined();
    for (const ledger of [two, one]) await ledger.round();
    expect(one.trustEnded('portal')).toBe(expected);
    const spent = told.filter(([type]) => type === 'outage.expired');
    expect(spent).toEqual([
      [
        'outage.expired',
        expect.objectContaining({ limit: 'failOpenBudget', enforced: enforce ? 'yes' : 'no' }),
      ],
    ]);
  });

  it('ends by minutes, too', async () => {
    const ledger = ledgerOf('one', limits({ budget: { viewerMinutes: 10, enforce: true } }));
    down(ledger);
    for (const id of ['1', '2']) letIn(ledger, id);
    await ledger.round();
    clock.advance(5 * MINUTE);
    expect(ledger.trustEnded('portal')).toBeUndefined();
    await ledger.round();
    expect(ledger.trustEnded('portal')).toBe('failOpenBudget');
  });
});
