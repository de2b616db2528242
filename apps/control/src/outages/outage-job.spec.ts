import { silentLog } from '#usher/domain';
import type { Check } from '#usher/domain';
import { ClusterClock, connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { OutageLedger, OutageReports, OutageStore, RedisSessionRegistry } from '#usher/sessions';
import type { Column, OutageEvent } from '#usher/sessions';
import { eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { OutageJob, type OutageJobParts } from './outage-job.js';
import type { Loan, RecheckBook, Rechecked } from './recheck.js';

let server: RedisProcess;
let redis: RedisClient;
let clock: ClusterClock;
let registry: RedisSessionRegistry;
let store: OutageStore;
let told: OutageEvent[];
const jobs: OutageJob[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  clock = new ClusterClock(redis);
  await clock.start();
  registry = new RedisSessionRegistry(redis, clock, { shards: 2 });
  store = new OutageStore(redis);
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  told = [];
});

afterEach(async () => {
  for (const job of jobs.splice(0)) await job.stop();
});

afterAll(async () => {
  clock.stop();
  await redis.close();
  await server.stop();
});

function jobOf(parts: Partial<OutageJobParts> = {}): OutageJob {
  const job = new OutageJob({
    redis,
    clock,
    log: silentLog,
    store,
    leases: { renew: async () => undefined, holds: () => true, release: async () => undefined },
    registry,
    tell: (type) => told.push(type),
    backends: ['portal'],
    lives: () => true,
    breaker: () => ({ closed: true, since: 0 }),
    afterOutage: () => 'report',
    credential: () => 'reusable',
    recheck: async () => ({ kind: 'done', answered: 0, denied: 0 }),
    canCut: () => true,
    recycle: async () => ({ cut: 0, lost: 0 }),
    settleAfter: 0,
    ...parts,
  });
  jobs.push(job);
  return job;
}

const ledgerOf = (node: string): OutageLedger =>
  new OutageLedger({
    store,
    clock,
    log: silentLog,
    node,
    tell: () => undefined,
    seal: () => 'sealed',
    rechecked: new Set(['portal']),
    limits: new Map(),
    peers: () => new Map(),
    most: 1_000,
  });

/** An outage with one session in each column, all of which play on. */
async function anOutage(ledger: OutageLedger): Promise<void> {
  ledger.turned('portal', { closed: false, since: clock.now(), downSince: clock.now() });
  for (const source of ['stale', 'known', 'fail-open'] as const) {
    const session = {
      edge: 'astra-1',
      sessionId: source,
      fingerprint: source.padEnd(26, 'x'),
      viewerKey: source,
      channel: 'a001',
      ip: '192.0.2.7',
      userAgent: '',
      host: '',
      path: '',
      dialect: 'astra',
      backend: 'portal',
      namespace: 'portal',
      user: '',
      sessionName: '',
      state: source === 'fail-open' ? 'on-trust' : 'active',
      source,
      presence: 'listed',
      openedAt: clock.now(),
      authorizedUntil: 0,
      aliveUntil: clock.now() + 60_000,
    } as const;
    await registry.open(session);
    const { fingerprint } = session;
    const check = { edge: 'astra-1', sessionId: source } as Check;
    ledger.note(check, { allow: true, source, because: 'backend', backend: 'portal', fingerprint, session });
  }
  await ledger.round();
}

const over = async (ledger: OutageLedger): Promise<void> => {
  ledger.turned('portal', { closed: true, since: clock.now(), downSince: 0 });
  await ledger.round();
};

const none = () => ({ sessions: 0, running: 0, since: 0, ms: 0 });
const noColumns = () => ({ carried: none(), known: none(), onTrust: none() });

const theReport = async () => {
  const reports = new OutageReports(store, clock);
  const [summary] = await reports.list(['portal']);
  return (await reports.report(summary!.id))!;
};
const settled = async (job: OutageJob) =>
  eventually(async () => {
    await job.round();
    const report = await theReport();
    expect(report.settledAt).toBeDefined();
    return report;
  });

describe('the job that looks after outages', () => {
  it.each([
    ['reusable', 'not-checked'],
    ['once', 'not-checkable'],
  ] as const)(
    'asks nobody by default: with a credential that is %s they are %s',
    async (credential, result) => {
      const ledger = ledgerOf('one');
      await anOutage(ledger);
      await over(ledger);
      const report = await settled(jobOf({ credential: () => credential }));
      expect(report.results).toEqual({
        carried: { [result]: 1 },
        known: { [result]: 1 },
        onTrust: { [result]: 1 },
      });
      expect(told).toEqual(['outage.settled']);
      expect(await server.cli('KEYS', 'usher:outage:*:checks')).toBe('');
    },
  );

  it('has those asked about who are known or on trust, and says when that was given up', async () => {
    const ledger = ledgerOf('one');
    await anOutage(ledger);
    await over(ledger);
    const asked: [Column, string][] = [];
    const recheck = async (_: unknown, loans: readonly Loan[], { note }: RecheckBook): Promise<Rechecked> => {
      for (const loan of loans) {
        asked.push([loan.column, loan.session.sessionId]);
        await note(loan, loan.column === 'known' ? 'kept' : 'denied');
      }
      return { kind: 'stopped', answered: 2, denied: 1, why: '1 of 2 were refused' };
    };
    const report = await settled(jobOf({ afterOutage: () => 'cut', recheck }));
    expect(asked.sort(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['known', 'known'],
      ['onTrust', 'fail-open'],
    ]);
    expect(report.results).toEqual({
      carried: { 'not-checked': 1 },
      known: { kept: 1 },
      onTrust: { denied: 1 },
    });
    expect(report.cutStopped).toBe('1 of 2 were refused');
    expect(told).toEqual(['outage.cut-stopped', 'outage.settled']);
  });

  it('goes on where a control broke off: with its count, its refusals, and its word that nobody is cut', async () => {
    const ledger = ledgerOf('one');
    await anOutage(ledger);
    await over(ledger);
    const begins: [number, boolean, string[]][] = [];
    const recheck: OutageJobParts['recheck'] = async (_, given, { begun, note, keep, stop }) => {
      const refused = given.filter((loan) => loan.refused).map(({ session }) => session.sessionId);
      begins.push([begun.answered, begun.passed, refused]);
      const loan = given.find(({ column }) => column === 'onTrust')!;
      if (begins.length === 1) {
        await note(loan, 'denied');
        await keep({ answered: 1, passed: false });
      } else if (begins.length === 2) await keep({ answered: 2, passed: true });
      else await stop('21 of 30 were refused');
      throw new Error('killed');
    };
    const report = await settled(jobOf({ afterOutage: () => 'cut', recheck }));
    expect(begins).toEqual([
      [0, false, []],
      [1, false, ['fail-open']],
      [2, true, ['fail-open']],
    ]);
    expect(report.results).toMatchObject({ known: { 'not-checked': 1 }, onTrust: { denied: 1 } });
    expect(report.cutStopped).toBe('21 of 30 were refused');
    expect(told).toEqual(['outage.cut-stopped', 'outage.settled']);
  });

  it('says of whom a control that broke off had cut already that he was cut', async () => {
    const ledger = ledgerOf('one');
    await anOutage(ledger);
    await over(ledger);
    let calls = 0;
    const recheck: OutageJobParts['recheck'] = async (_, given, { note }) => {
      calls += 1;
      if (calls > 1) return { kind: 'done', answered: 0, denied: 0 };
      const loan = given.find(({ column }) => column === 'onTrust')!;
      await note(loan, 'denied');
      await registry.revoke(loan.session, 'denied-on-recheck', { fingerprint: loan.fingerprint });
      throw new Error('killed');
    };
    const report = await settled(jobOf({ afterOutage: () => 'cut', recheck }));
    expect(report.results.onTrust).toEqual({ cut: 1 });
  });

  it('breaks off what it does when another control has the lease, and begins anew when it has it again', async () => {
    const ledger = ledgerOf('one');
    await anOutage(ledger);
    await over(ledger);
    let holds = true;
    let calls = 0;
    let broken = 0;
    const recheck: OutageJobParts['recheck'] = async (_name, _loans, _book, signal) => {
      calls += 1;
      if (calls > 1) return { kind: 'done', answered: 0, denied: 0 };
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      broken += 1;
      return { kind: 'broken-off', answered: 0, denied: 0 };
    };
    const leases = { renew: async () => undefined, holds: () => holds, release: async () => undefined };
    const job = jobOf({ afterOutage: () => 'cut', recheck, leases });
    await job.round();
    await eventually(() => calls === 1);
    holds = false;
    await job.round();
    await eventually(() => broken === 1);
    expect((await theReport()).settledAt).toBeUndefined();
    holds = true;
    await settled(job);
    expect(calls).toBe(2);
  });

  it('has only those on trust recycled, where their edge can be told, and keeps what came of it', async () => {
    const ledger = ledgerOf('one');
    await anOutage(ledger);
    await over(ledger);
    const recycle: OutageJobParts['recycle'] = async (_, given, _earlier, { note }) => {
      expect(given.map(({ column, session }) => [column, session.sessionId])).toEqual([
        ['onTrust', 'fail-open'],
      ]);
      const [loan] = given;
      await note(loan!, 'recycled');
      // Its gateway hears that the session ended.
      await note(loan!, 'gone');
      expect((await theReport()).results.onTrust).toEqual({ recycled: 1 });
      await note(loan!, 'came-back');
      await note(loan!, 'recycled');
      return { cut: 1, lost: 0, why: 'the backend is suspended again' };
    };
    const once: Partial<OutageJobParts> = { credential: () => 'once', afterOutage: () => 'recycle' };
    const report = await settled(jobOf({ ...once, recycle }));
    expect(report.results).toEqual({
      carried: { 'not-checkable': 1 },
      known: { 'not-checkable': 1 },
      onTrust: { 'came-back': 1 },
    });
    expect(report.cutStopped).toBe('the backend is suspended again');
    expect(told).toEqual(['outage.cut-stopped', 'outage.settled']);
  });

  it('recycles nobody whose edge cannot be told', async () => {
    const ledger = ledgerOf('one');
    await anOutage(ledger);
    await over(ledger);
    const recycle = (): Promise<never> => Promise.reject(new Error('nobody is to be recycled'));
    const parts: Partial<OutageJobParts> = {
      credential: () => 'once',
      afterOutage: () => 'recycle',
      canCut: () => false,
    };
    const { results } = await settled(jobOf({ ...parts, recycle }));
    expect(results.onTrust).toEqual({ 'not-checkable': 1 });
  });

  it('waits for a gateway that lives and has more to write, not for one that is dead', async () => {
    const [one, slow] = [ledgerOf('one'), ledgerOf('slow')];
    await anOutage(one);
    await anOutage(slow);
    await over(one);
    const job = jobOf();
    for (let i = 0; i < 3; i += 1) await job.round();
    expect((await theReport()).settledAt).toBeUndefined();
    const report = await settled(jobOf({ lives: (node) => node === 'one' }));
    expect(report.incomplete.map(({ node }) => node)).toEqual(['slow']);
  });

  it('takes nobody for dead while heartbeats cannot be read', async () => {
    await anOutage(ledgerOf('one'));
    await jobOf({ lives: () => undefined }).round();
    expect((await theReport()).incomplete).toEqual([]);
    await jobOf({ lives: () => false }).round();
    expect((await theReport()).incomplete.map(({ node }) => node)).toEqual(['one']);
  });

  it('ends an outage of which no living gateway knows, once the breaker is closed for some time', async () => {
    await anOutage(ledgerOf('gone'));
    const lives = (): boolean => false;
    const down = jobOf({ lives, breaker: () => ({ closed: false, since: 0 }) });
    const unsure = jobOf({ lives, breaker: () => undefined });
    const justNow = jobOf({ lives, breaker: () => ({ closed: true, since: clock.now() }) });
    for (const job of [down, unsure, justNow]) await job.round();
    expect((await theReport()).end).toBeUndefined();
    const report = await settled(jobOf({ lives }));
    expect(report.end).toBeDefined();
    expect(told).toEqual(['outage.ended', 'outage.settled']);
  });

  it('ends and settles the outage of a backend that is no longer configured, when nobody has it any more', async () => {
    const old = new OutageStore(redis);
    const at = clock.now() - 300_000;
    const { name } = await old.open('portal', 'backend', at, at);
    const totals = { columns: noColumns(), refused: 0, uncounted: 0 };
    await old.write(name, { node: 'one', state: 'open', totals, lastAt: at, start: at, lines: [] });
    // As if a minute and more had passed since that word.
    const later = { now: () => clock.now() + 120_000, monotonic: () => clock.monotonic() };
    const gone = { backends: [], breaker: () => undefined, clock: later };
    await jobOf({ ...gone, lives: (node) => node === 'one' }).round();
    await jobOf({ ...gone, clock, lives: () => false }).round();
    expect((await theReport()).end).toBeUndefined();
    const report = await settled(jobOf({ ...gone, lives: () => false }));
    expect(report.end).toBeGreaterThan(at);
    expect(report.end).toBeLessThanOrEqual(clock.now());
    expect(told).toEqual(['outage.ended', 'outage.settled']);
  });

  it('does nothing without the lease', async () => {
    const ledger = ledgerOf('one');
    await anOutage(ledger);
    await over(ledger);
    const leases = { renew: async () => undefined, holds: () => false, release: async () => undefined };
    await jobOf({ leases }).round();
    expect((await theReport()).settledAt).toBeUndefined();
  });

  it('tries again where settling broke off', async () => {
    const ledger = ledgerOf('one');
    await anOutage(ledger);
    await over(ledger);
    let calls = 0;
    const recheck = async (): Promise<Rechecked> => {
      calls += 1;
      if (calls === 1) throw new Error('Redis is away');
      return { kind: 'done', answered: 2, denied: 0 };
    };
    await settled(jobOf({ afterOutage: () => 'cut', recheck }));
    expect(calls).toBe(2);
  });
});
