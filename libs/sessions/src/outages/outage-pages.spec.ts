import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { InvalidCursorError } from '../listing/list-position.js';
import { noTotals } from './ledger-totals.js';
import type { Column, OutageFault } from './outage-line.js';
import { lineField, outageId, type OutageName } from './outage-names.js';
import { OutageReports, type OutageQuery, type ReportLineQuery } from './outage-report.js';
import { OutageStore } from './outage-store.js';

const MINUTE = 60_000;

let server: RedisProcess;
let redis: RedisClient;
let store: OutageStore;
let clock: ManualClock;
let reports: OutageReports;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});
beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  store = new OutageStore(redis);
  clock = new ManualClock();
  reports = new OutageReports(store, clock);
});
afterAll(async () => {
  await redis.close();
  await server.stop();
});

/** An outage that began so many minutes ago, and is over unless it lasts. */
async function outage(
  backend: string,
  minutesAgo: number,
  lasts = false,
  fault: OutageFault = 'backend',
): Promise<OutageName> {
  const start = clock.now() - minutesAgo * MINUTE;
  const { name } = await store.open(backend, fault, start, fault === 'us' ? undefined : start);
  if (!lasts) await store.end(name, fault, start + MINUTE, 0);
  return name;
}

/** All pages, one after the other. */
async function pages(query: Partial<OutageQuery>, limit = 2): Promise<string[][]> {
  const all: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await reports.page({ backends: ['portal', 'other'], limit, ...query, cursor });
    all.push(page.outages.map(({ id }) => id));
    ({ cursor } = page);
  } while (cursor !== undefined);
  return all;
}

describe('pages of outages', () => {
  const anOutage = async (...args: Parameters<typeof outage>): Promise<string> =>
    outageId(await outage(...args));

  it('hold each once, the newest of all backends first, whatever began at the same moment', async () => {
    const together = [
      await anOutage('portal', 30),
      await anOutage('other', 30),
      await anOutage('other', 30, false, 'us'),
    ];
    const second = await anOutage('portal', 20);
    const newest = await anOutage('other', 10, true);
    const found = await pages({});
    expect(found.map(({ length }) => length)).toEqual([2, 2, 1]);
    expect(found.flat()).toEqual([newest, second, ...together.sort()]);
  });

  it('hold those that last, or those that are over, of some backends', async () => {
    const elsewhere = await anOutage('other', 30);
    const over = await anOutage('portal', 20);
    const lasting = await anOutage('portal', 5, true, 'us');
    expect(await pages({ running: true })).toEqual([[lasting]]);
    expect(await pages({ running: false })).toEqual([[over, elsewhere]]);
    expect(await pages({ backends: ['portal'], running: false })).toEqual([[over]]);
    expect(await pages({ backends: [] })).toEqual([[]]);
  });

  it('begin at no cursor that no page gave', async () => {
    await expect(reports.page({ backends: ['portal'], limit: 1, cursor: 'x' })).rejects.toThrow(
      InvalidCursorError,
    );
  });
});

describe('the lines of an outage', () => {
  const TRUSTED = 250;

  /** 250 on trust, of whom the first ended, and two who were carried. */
  async function withLines(): Promise<string> {
    const name = await outage('portal', 10, true);
    const start = clock.now() - 10 * MINUTE;
    const lineOf = (column: Column, sessionId: string) => ({
      field: lineField(column, { edge: 'astra-1', sessionId, fingerprint: `f${sessionId}` }),
      column,
      isNew: true,
      from: start,
      since: sessionId === '0' ? 0 : start,
      until: sessionId === '0' ? start + 2 * MINUTE : 0,
      ms: sessionId === '0' ? 2 * MINUTE : 0,
      result: '' as const,
      resultAt: 0,
      facts: { edge: 'astra-1', session: sessionId, user: '', viewer: 'v', channel: 'a001', ip: '192.0.2.7' },
    });
    const trusted = Array.from({ length: TRUSTED }, (_, at) => lineOf('onTrust', `${at}`));
    const lines = [...trusted, lineOf('carried', 'c1'), lineOf('carried', 'c2')];
    const totals = noTotals();
    await store.write(name, { node: 'one', state: 'done', totals, lastAt: start, start, lines });
    const findings = [{ field: lines[1]!.field, column: 'onTrust', result: 'cut' } as const];
    await store.settleLines(name, start, findings, clock.now());
    return outageId(name);
  }

  async function linesOf(id: string, query: Partial<ReportLineQuery> = {}) {
    const found = [];
    let cursor: string | undefined;
    do {
      const page = (await reports.lines(id, { limit: 40, ...query, cursor }))!;
      expect(page.lines.length).toBeLessThan(120);
      found.push(...page.lines);
      ({ cursor } = page);
    } while (cursor !== undefined);
    return found;
  }

  it('are on its pages, all of them, with how long each played', async () => {
    const id = await withLines();
    const lines = await linesOf(id);
    expect(new Set(lines.map(({ session }) => session)).size).toBe(TRUSTED + 2);
    const of = (name: string) => lines.find(({ session }) => session === name)!;
    const from = clock.now() - 10 * MINUTE;
    expect(of('0')).toMatchObject({ column: 'onTrust', from, until: from + 2 * MINUTE, viewerMinutes: 2 });
    expect(of('2')).toMatchObject({ until: undefined, viewerMinutes: 10, result: '', resultAt: undefined });
  });

  it('are those of a column, or of a result', async () => {
    const id = await withLines();
    const carried = await linesOf(id, { column: 'carried' });
    expect(new Set(carried.map(({ session }) => session))).toEqual(new Set(['c1', 'c2']));
    expect(await linesOf(id, { result: 'cut' })).toMatchObject([{ session: '1', resultAt: clock.now() }]);
    expect(await linesOf(id, { result: 'kept' })).toEqual([]);
  });

  it('end with the outage', async () => {
    const id = await withLines();
    await store.end({ backend: 'portal', tail: id.split('~')[1]! }, 'backend', clock.now() - 5 * MINUTE, 0);
    const lines = await linesOf(id, { column: 'carried' });
    expect(lines[0]).toMatchObject({ until: clock.now() - 5 * MINUTE, viewerMinutes: 5 });
  });

  it('begin at no cursor that no page gave, and there are none of what is no outage', async () => {
    const id = await withLines();
    for (const cursor of ['x', '-1', '18446744073709551616']) {
      await expect(reports.lines(id, { limit: 1, cursor })).rejects.toThrow(InvalidCursorError);
    }
    expect(await reports.lines('portal~1', { limit: 1 })).toBeUndefined();
    expect(await reports.lines('no outage', { limit: 1 })).toBeUndefined();
  });
});
