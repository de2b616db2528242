import { get } from 'node:http';
import { silentLog, type Check } from '#usher/domain';
import type { ClusterClock, RedisClient } from '#usher/redis';
import { OutageLedger, OutageReports, OutageStore, type OutageResult } from '#usher/sessions';
import { ManualClock } from '#usher/testing';
import { outageReports } from '../../outages/outages.js';
import { CLOCK, REDIS } from '../endpoint/tokens.js';
import { aSession, OBSERVER, startApiWorld, type ApiWorld } from '../for-tests.js';
import { OutagesController } from './outages.controller.js';

const MINUTE = 60_000;
const REPORTS = {
  provide: OutageReports,
  useFactory: (redis: RedisClient, clock: ClusterClock) => outageReports({ redis, clock }),
  inject: [REDIS, CLOCK],
};

const startWorld = (): Promise<ApiWorld> =>
  startApiWorld(
    {
      backends: {
        portal: { type: 'http', url: 'http://127.0.0.1:9/' },
        vod: { type: 'http', url: 'http://127.0.0.1:9/' },
      },
    },
    { controllers: [OutagesController], providers: [REPORTS] },
  );

let world: ApiWorld;
const others: ApiWorld[] = [];

beforeAll(async () => {
  world = await startWorld();
});
beforeEach(() => world.redis.call('FLUSHALL', []));
afterAll(async () => {
  for (const one of [world, ...others]) await one?.stop();
});

/** The ledger of a gateway, an hour ago, whose clock the test has. */
function aLedger() {
  const clock = new ManualClock(Math.floor(world.clock.now()) - 60 * MINUTE);
  const store = new OutageStore(world.redis);
  const ledger = new OutageLedger({
    store,
    clock,
    log: silentLog,
    node: 'gateway-1',
    tell: () => undefined,
    seal: () => '',
    rechecked: new Set(),
    limits: new Map(),
    peers: () => new Map(),
    most: 1_000,
  });
  const turn = (backend: string, closed: boolean): void =>
    ledger.turned(backend, { closed, since: clock.now(), downSince: closed ? 0 : clock.now() });
  const letIn = (
    sessionId: string,
    source: 'stale' | 'known' | 'fail-open',
    user = '',
    backend = 'portal',
  ): void => {
    const session = aSession(clock.now(), { sessionId, source, user, backend, presence: 'listed' });
    const { edge, fingerprint } = session;
    const answer = { allow: true, source, because: 'backend', backend, fingerprint, session } as const;
    ledger.note({ edge, sessionId } as Check, answer);
  };
  const settle = async (backend: string, results: Readonly<Record<string, OutageResult>>): Promise<void> => {
    const [name] = await store.names(backend, 1);
    const findings = [];
    for await (const { field, session } of store.lines(name!)) {
      const result = results[session];
      if (result !== undefined) findings.push({ field, column: 'onTrust' as const, result });
    }
    await store.settleLines(name!, clock.now(), findings, clock.now());
  };
  return { ledger, store, clock, turn, letIn, settle };
}

/** Ten minutes of the portal: one carried, one known, two on trust, of whom one left after two. */
async function anOutage(): Promise<string> {
  const { ledger, clock, turn, letIn, settle } = aLedger();
  turn('portal', false);
  letIn('1', 'stale', '100500');
  letIn('2', 'known', '100501');
  letIn('3', 'fail-open');
  letIn('4', 'fail-open');
  await ledger.round();
  clock.advance(2 * MINUTE);
  ledger.closed([{ edge: 'astra-1', sessionId: '4' }]);
  clock.advance(8 * MINUTE);
  turn('portal', true);
  await ledger.round();
  await settle('portal', { '3': 'cut', '4': 'gone' });
  const { outages } = await world.get('/outages');
  expect(outages).toHaveLength(1);
  return outages[0].id;
}

/** All that a list has, page after page. */
async function everything(path: string, member: string): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  let cursor: string | undefined = '';
  for (let pages = 0; cursor !== undefined; pages += 1) {
    expect(pages).toBeLessThan(100);
    const page = await world.get(`${path}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    all.push(...page[member]);
    cursor = page.cursor as string | undefined;
  }
  return all;
}

describe('GET /outages', () => {
  it('lists outages with their three columns, for observers too', async () => {
    await anOutage();
    const { outages } = await world.get('/outages', { token: OBSERVER });
    expect(outages).toMatchObject([
      {
        backend: 'portal',
        fault: 'backend',
        says: 'The backend failed, and was suspended.',
        suspended: true,
        columns: {
          carried: { sessions: 1, viewerMinutes: 10 },
          known: { sessions: 1, viewerMinutes: 10 },
          onTrust: { sessions: 2, viewerMinutes: 12 },
        },
        incomplete: [],
        trustEnded: null,
      },
    ]);
    expect(Date.parse(outages[0].end) - Date.parse(outages[0].start)).toBe(10 * MINUTE);
  });

  it('has pages, and filters by backend and by whether it lasts', async () => {
    const { ledger, clock, turn, letIn } = aLedger();
    for (let at = 0; at < 3; at += 1) {
      turn('portal', false);
      await ledger.round();
      clock.advance(MINUTE);
      turn('portal', true);
      await ledger.round();
      clock.advance(4 * MINUTE);
    }
    turn('vod', false);
    letIn('1', 'fail-open', '', 'vod');
    await ledger.round();
    const starts = (found: Record<string, unknown>[]) => found.map(({ backend }) => backend);
    expect(starts(await everything('/outages?limit=1', 'outages'))).toEqual([
      'vod',
      'portal',
      'portal',
      'portal',
    ]);
    expect(starts(await everything('/outages?backend=portal&limit=2', 'outages'))).toHaveLength(3);
    expect(starts(await everything('/outages?state=ended&limit=2', 'outages'))).toHaveLength(3);
    const [running, ...others] = await everything('/outages?state=running&limit=2', 'outages');
    expect([running?.['backend'], running?.['end'], others]).toEqual(['vod', null, []]);
  });

  it('has those of a backend that was renamed or removed meanwhile, and their reports', async () => {
    const { ledger, clock, turn, letIn } = aLedger();
    turn('old-portal', false);
    letIn('1', 'fail-open', '', 'old-portal');
    await ledger.round();
    clock.advance(MINUTE);
    turn('old-portal', true);
    await ledger.round();
    const { outages } = await world.get('/outages');
    expect(outages).toMatchObject([{ backend: 'old-portal', columns: { onTrust: { sessions: 1 } } }]);
    expect(await world.get('/outages?backend=old-portal')).toEqual({ outages });
    expect((await world.get(`/outages/${outages[0].id}`)).lines).toBe(1);
  });

  it('names the backends that there are, and refuses a cursor that is none', async () => {
    const { status, body } = await world.call('/outages?backend=nobody');
    expect([status, body.errors]).toEqual([
      400,
      [{ parameter: 'backend', says: expect.stringContaining('portal') }],
    ]);
    expect((await world.call('/outages?cursor=x')).body.errors).toMatchObject([{ parameter: 'cursor' }]);
  });
});

describe('GET /outages/{id}', () => {
  it('reports who was lent what, each column by itself, and what became of it', async () => {
    const report = await world.get(`/outages/${await anOutage()}`);
    expect(report).toMatchObject({
      lines: 4,
      withoutLine: 0,
      cutStopped: null,
      columns: {
        carried: { sessions: 1, viewerMinutes: 10, viewers: 1, results: {} },
        known: { sessions: 1, viewerMinutes: 10, viewers: 1 },
        onTrust: { sessions: 2, viewerMinutes: 12, viewers: 2, results: { cut: 1, gone: 1 } },
      },
    });
    expect(Object.keys(report.columns).sort()).toEqual(['carried', 'known', 'onTrust']);
  });

  it('says which process died with something unsaid, from when to when', async () => {
    const id = await anOutage();
    const { store, clock } = aLedger();
    const [name] = await store.names('portal', 1);
    const totals = { columns: emptyColumns(), refused: 0, uncounted: 0 };
    const { start } = (await store.record(name!))!;
    const write = { state: 'open', totals, lastAt: start, start, lines: [] } as const;
    await store.write(name!, { ...write, node: 'gateway-2' });
    const lostAt = clock.now() + 90 * MINUTE;
    await store.mark(name!, 'lost:gateway-2', lostAt);
    expect((await world.get(`/outages/${id}`)).incomplete).toEqual([
      { node: 'gateway-2', from: expect.any(String), to: new Date(lostAt).toISOString() },
    ]);
  });

  it('is not found where there is none, by whatever name', async () => {
    for (const name of ['portal~1', 'nonsense', 'portal~1/viewers', 'x/csv']) {
      const { status, body } = await world.call(`/outages/${name}`);
      expect([name, status, body.type]).toEqual([name, 404, 'urn:usher:problem:not-found']);
    }
  });
});

describe('GET /outages/{id}/viewers', () => {
  it('lists everybody, page after page, and by column and result', async () => {
    const id = await anOutage();
    const all = await everything(`/outages/${id}/viewers?limit=1`, 'viewers');
    const sessions = new Map(all.map((line) => [line['session'], line]));
    expect(new Set(sessions.keys())).toEqual(new Set(['1', '2', '3', '4']));
    expect(sessions.get('1')).toMatchObject({ column: 'carried', namespace: 'portal', user: '100500' });
    expect(sessions.get('4')).toMatchObject({ user: null, viewerMinutes: 2, result: 'gone' });
    const cut = await everything(`/outages/${id}/viewers?column=onTrust&result=cut`, 'viewers');
    expect(cut).toMatchObject([{ session: '3', address: '192.0.2.7', channel: 'a001' }]);
    const { status, body } = await world.call(`/outages/${id}/viewers?cursor=99999999999999999999`);
    expect([status, body.errors]).toMatchObject([400, [{ parameter: 'cursor' }]]);
  });

  it('says of whom it is not over yet', async () => {
    const { ledger, turn, letIn } = aLedger();
    turn('portal', false);
    letIn('1', 'fail-open');
    await ledger.round();
    const { outages } = await world.get('/outages?state=running');
    const { viewers } = await world.get(`/outages/${outages[0].id}/viewers`);
    expect(viewers).toMatchObject([{ until: null, result: null, resultAt: null }]);
    expect(viewers[0].viewerMinutes).toBeGreaterThan(59);
  });
});

describe('GET /outages/{id}/csv', () => {
  it('is a file of all lines', async () => {
    const id = await anOutage();
    const { status, headers, text } = await world.call(`/outages/${id}/csv`, { token: OBSERVER });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/csv; charset=utf-8; header=present');
    expect(headers['content-disposition']).toBe(`attachment; filename="outage-${id}.csv"`);
    const [head, ...lines] = text.split('\r\n');
    expect(head).toMatch(/^column,edge,session,/);
    const listed = lines.filter((line) => line !== '').map((line) => line.split(',')[2]);
    expect(listed).toHaveLength(4);
    expect(new Set(listed)).toEqual(new Set(['1', '2', '3', '4']));
  });

  it('breaks off where Redis goes away in between, and is never a short file that looks whole', async () => {
    const other = await startWorld();
    others.push(other);
    const store = new OutageStore(other.redis);
    const { name } = await store.open('portal', 'backend', 1_767_225_600_000, undefined);
    const text = 'x'.repeat(128);
    const facts = { edge: text, session: text, user: text, viewer: text, channel: text, ip: text };
    // More than fits into the buffers between both ends.
    for (let at = 0; at < 40; at += 1) {
      const fields = Array.from({ length: 1_000 }, (_, line) => [
        `t|${at}:${line}`,
        `n|1|1|0|0|0||0|0|${JSON.stringify(facts)}`,
      ]);
      await other.redis.call('HSET', [`usher:outage:{portal}:${name.tail}:lines`, ...fields.flat()]);
    }
    const path = `/api/v1/outages/portal~${name.tail}/csv`;
    const headers = { authorization: `Bearer ${OBSERVER}` };
    const outcome = await new Promise((resolve) => {
      get({ host: '127.0.0.1', port: other.api.port, path, headers, agent: false }, (response) => {
        response.once('data', () => {
          response.pause();
          void other.server.stop().then(() => response.resume());
        });
        response.on('end', () => resolve('whole'));
        response.on('error', () => resolve('broken off'));
      });
    });
    expect(outcome).toBe('broken off');
  });
});

function emptyColumns() {
  const none = () => ({ sessions: 0, running: 0, since: 0, ms: 0 });
  return { carried: none(), known: none(), onTrust: none() };
}
