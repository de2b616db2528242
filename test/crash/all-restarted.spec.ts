import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { controlApi, type ControlApi } from '../support/control-api.js';
import { told } from '../support/deadline.js';
import { eventsIn, type WrittenEvent } from '../support/event-streams.js';
import { get, startUsher, type UsherProcess } from '../support/usher-process.js';

/** How each session ends after the restart: its id, its reason, and how often its edge asked about it. */
const ENDS = [
  { id: 'told', reason: 'closed-by-edge', checks: 3 },
  { id: 'taken', reason: 'replaced', checks: 2 },
  { id: 'kicked', reason: 'kicked', checks: 1 },
  { id: 'late', reason: 'expired', checks: 2 },
  { id: 'silent', reason: 'idle', checks: 4 },
] as const;
/** What this process' clock and the cluster's may differ by, ms. */
const CLOCKS = 250;
/** Each viewer has an address of his own: a kick holds one of them. */
const addressOf = (id: string): string => `192.0.2.${id.charCodeAt(0) + id.length}`;

/** Gateway, worker and control are ended and started anew between the opening of sessions and their ends. */
describe('the end of a session whose every process was restarted meanwhile', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let control: UsherProcess;
  let api: ControlApi;
  let startedAt = 0;
  let openedBy = 0;
  let restartedAt = 0;

  const gateway = (): UsherProcess => cluster.gateways.at(-1)!;
  const edgeOf = (id: string): string => (id === 'silent' ? 'flu-1' : 'astra-1');
  const ask = async (id: string, token = id): Promise<number> => {
    const query = `token=${token}`;
    if (edgeOf(id) === 'astra-1')
      return (await gateway().check({ sessionId: id, query, ip: addressOf(id) })).status;
    const path = `/e/flu-1/flussonic?${query}&name=a001&ip=${addressOf(id)}&proto=hls&session_id=${id}`;
    return (await get(gateway().port, path)).status;
  };
  const closings = (all: readonly WrittenEvent[], id: string): readonly WrittenEvent[] =>
    all.filter(({ type, session }) => type === 'session.closed' && session === `${edgeOf(id)}:${id}`);
  /** The session's time is up. */
  const end = async (id: string): Promise<void> => {
    const [key = ''] = (await cluster.redis.cli('KEYS', `usher:session:*:${edgeOf(id)}:${id}`)).split('\n');
    const [, shard] = /(\{\d\d\})/.exec(key) ?? [];
    expect(shard).toBeDefined();
    await cluster.redis.cli('ZADD', `usher:alive:${shard}`, 'XX', '1', `${edgeOf(id)}:${id}`);
  };

  beforeAll(async () => {
    portal = await startFakePortal();
    portal.allow();
    const config = {
      edges: { 'astra-1': {}, 'flu-1': { dialect: 'flussonic' } },
      backends: { portal: { type: 'http', url: `${portal.url}/check`, failMode: 'closed' } },
      // A Redis that is taken for away is swept half a minute later.
      redis: { timeout: '2s' },
    };
    cluster = await startCluster(config, { gateways: 1, workers: 1 });
    const settings = { ...config, redis: { ...config.redis, url: cluster.redis.url } };
    control = await startUsher('control', settings);

    startedAt = Date.now();
    for (const { id } of ENDS) expect(await ask(id)).toBe(200);
    await eventually(async () => {
      const opened = (await eventsIn(cluster.redis)).filter(({ type }) => type === 'session.opened');
      expect(opened).toHaveLength(ENDS.length);
    });
    // Checks are counted in a record that is there.
    for (const { id, checks } of ENDS) {
      for (let n = 1; n < checks; n += 1) expect(await ask(id)).toBe(200);
    }
    openedBy = Date.now();

    const codes = await Promise.all(
      [gateway(), cluster.workers[0]!, control].map((one) => one.end('SIGTERM')),
    );
    expect(codes).toEqual([0, 0, 0]);
    [control] = await Promise.all([
      startUsher('control', settings),
      cluster.add('gateway'),
      cluster.add('worker'),
    ]);
    api = await controlApi(control);
    restartedAt = Date.now();
  }, 120_000);

  afterAll(async () => {
    await control?.end('SIGKILL');
    await cluster?.stop();
    await portal?.stop();
  });

  it('is noticed once, with its reason, how long it lasted and how often it was asked about', async () => {
    const ended = { client_id: 'told', channel_id: 'a001', addr: addressOf('told'), uptime: 5 };
    const body = JSON.stringify({ event: 'close', session: ended });
    // An edge that says it twice.
    for (let n = 0; n < 2; n += 1) {
      const address = `http://127.0.0.1:${gateway().port}/e/astra-1/closed`;
      expect((await fetch(address, { method: 'POST', body })).status).toBe(204);
    }
    expect(
      told(await gateway().check({ sessionId: 'taken', query: 'token=other', ip: addressOf('taken') })),
    ).toBe('200 asked');
    const kick = { session: { edge: 'astra-1', id: 'kicked' }, reason: 'test' };
    expect(await api('POST', '/kicks', kick)).toMatchObject({ status: 200, body: { cannotCut: 1 } });
    for (const id of ['kicked', 'late', 'silent']) await end(id);

    const events = await eventually(
      async () => {
        const all = await eventsIn(cluster.redis);
        for (const { id } of ENDS) expect([id, closings(all, id).length]).toEqual([id, 1]);
        return all;
      },
      { withinMs: 60_000 },
    );
    for (const { id, reason, checks } of ENDS) {
      const [closed] = closings(events, id);
      expect([id, closed!.facts['reason'], closed!.facts['checks']]).toEqual([id, reason, String(checks)]);
      const lasted = Number(closed!.facts['lasted']);
      expect(lasted).toBeGreaterThanOrEqual(restartedAt - openedBy - CLOCKS);
      expect(lasted).toBeLessThanOrEqual(Date.now() - startedAt + CLOCKS);
    }
  });

  it('is noticed no second time by the sweeps that follow', async () => {
    expect(await ask('another')).toBe(200);
    const all = await eventually(
      async () => {
        const found = await eventsIn(cluster.redis);
        // Its gateway tells once that it was opened, within ten seconds: a sign of life, after which its time runs anew.
        if (closings(found, 'another').length === 0) await end('another');
        expect(closings(found, 'another')).toHaveLength(1);
        return found;
      },
      { withinMs: 60_000, everyMs: 250 },
    );
    for (const { id } of ENDS) expect([id, closings(all, id).length]).toEqual([id, 1]);
  });
});
