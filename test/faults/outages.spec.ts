import { eventually, portalBehaviours, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { told } from '../support/deadline.js';
import { readOutages } from '../support/outages.js';
import { everythingIn } from '../support/redis-dump.js';
import { startUsher, type UsherProcess } from '../support/usher-process.js';

const { allow, deny } = portalBehaviours;
const SUSPENDED = 'backend portal is suspended';

/** In order: an outage that is settled by asking, one with a killed gateway, one without Redis. */
describe('the ledger of outages of two gateways, a worker and control', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let control: UsherProcess;
  let outages: Awaited<ReturnType<typeof readOutages>>;
  let count = 0;

  beforeAll(async () => {
    portal = await startFakePortal();
    const config = {
      edges: { 'astra-1': {} },
      gateway: { answerTtl: { allow: '1ms', deny: '1ms' } },
      backends: {
        portal: {
          type: 'http',
          url: `${portal.url}/check`,
          timeout: '500ms',
          device: 'mac',
          credential: 'reusable',
          afterOutage: 'cut',
          breaker: { consecutive: 3, window: '2s', openFor: '1s', rampStep: '100ms', probes: 1 },
        },
      },
    };
    cluster = await startCluster(config, { gateways: 2, workers: 1 });
    control = await startUsher('control', { ...config, redis: { url: cluster.redis.url, timeout: '250ms' } });
    outages = await readOutages(cluster.redis, 'portal');
  });

  afterAll(async () => {
    await outages?.close();
    await control?.end('SIGKILL');
    await cluster?.stop();
    await portal?.stop();
  });

  const check = async (gateway: number, name: string, mac = name): Promise<string> =>
    told(
      await cluster.gateways[gateway]!.check({
        sessionId: name,
        query: `token=${name}&mac=${mac}`,
        ip: '192.0.2.7',
      }),
    );
  const stranger = (gateway: number, part: string): Promise<string> =>
    check(gateway, `${part}-${(count += 1)}`);
  /** Takes it away until every living gateway knows. */
  const takePortalAway = async (gateways: readonly number[] = [0, 1]): Promise<void> => {
    portal.status(500);
    await eventually(async () => {
      for (const gateway of gateways) {
        expect(await stranger(gateway, 'first')).toBe('200 fail-open');
        expect(await cluster.gateways[gateway]!.problems()).toContain(SUSPENDED);
      }
    });
  };
  const untilAskedAgain = (gateway = 0): Promise<void> =>
    eventually(async () => expect(await stranger(gateway, 'good')).toBe('200 asked'), { withinMs: 20_000 });
  /** The one that lasts, or was last. */
  const newest = async () => {
    const [found] = await outages.all();
    if (found === undefined) throw new Error('there is no outage');
    return found;
  };
  const settled = () =>
    eventually(
      async () => {
        const report = await newest();
        expect(report.settledAt).toBeDefined();
        return report;
      },
      { withinMs: 40_000, everyMs: 100 },
    );
  const stateOf = async (name: string): Promise<string> => {
    const key = (await cluster.redis.cli('KEYS', `usher:session:*:astra-1:${name}`)).trim();
    return (await cluster.redis.cli('HGET', key, 'state')).trim();
  };
  const events = async (): Promise<string[]> =>
    (await everythingIn(cluster.redis)).split('\n').filter((line) => line.startsWith('outage.'));

  it('says who was carried, known and on trust, and cuts whom the backend refuses afterwards', async () => {
    portal.allow({ 'X-Session-Name': 'anna' });
    expect(await check(0, 'granted')).toBe('200 asked');
    await takePortalAway();
    expect(await check(1, 'granted-again', 'granted')).toBe('200 known');
    expect(
      told(
        await cluster.gateways[1]!.check({
          sessionId: 'carried',
          query: 'token=granted&mac=granted',
          ip: '192.0.2.7',
        }),
      ),
    ).toBe('200 stale');
    for (const name of ['paid', 'thief', 'left']) expect(await check(0, name)).toBe('200 fail-open');
    // Through the other gateway it is the same session.
    expect(await check(1, 'paid')).toBe('200 fail-open');
    await eventually(async () => {
      const { columns } = await newest();
      expect(columns).toMatchObject({ carried: { sessions: 1 }, known: { sessions: 1 } });
      expect(columns.onTrust.sessions).toBeGreaterThanOrEqual(3);
    });
    portal.byToken({ thief: deny() }, allow());
    await untilAskedAgain();
    const report = await settled();
    expect(report).toMatchObject({
      fault: 'backend',
      suspended: true,
      incomplete: [],
      withoutLine: 0,
      cutStopped: undefined,
    });
    expect(report.end! - report.start).toBeGreaterThanOrEqual(1_000);
    expect(report.columns.onTrust.viewerMinutes).toBeGreaterThan(0);
    expect(report.results.onTrust).toMatchObject({ cut: 1, kept: report.columns.onTrust.sessions - 1 });
    expect(report.results.known).toEqual({ kept: 1 });
    expect(report.results.carried).toEqual({ 'not-checked': 1 });
    // Nobody tells of the ends of these sessions.
    expect(report.estimated.onTrust.sessions).toBe(report.columns.onTrust.sessions);
    // Its edge has no API by which it could be told.
    expect(await stateOf('thief')).toBe('revoked');
    expect(await stateOf('paid')).toBe('active');
    expect(await check(0, 'thief')).toBe('403 asked');
    const csv = await outages.csv(report.id);
    expect(csv.split('\r\n')).toHaveLength(report.lines + 2);
    expect(csv).toMatch(/^on trust,astra-1,thief,.*,cut,[^,]+$/m);
    expect(await cluster.redis.cli('KEYS', 'usher:outage:*:checks')).toBe('');
    expect(await everythingIn(cluster.redis)).not.toMatch(/token=[^*]/);
    expect(await events()).toEqual(
      expect.arrayContaining(['outage.started', 'outage.ended', 'outage.settled']),
    );
  });

  it('says "incomplete" of a gateway that is killed in an outage', async () => {
    await takePortalAway();
    expect(await stranger(1, 'of-the-dead')).toBe('200 fail-open');
    await eventually(async () => {
      const { id, settledAt } = await newest();
      expect(settledAt).toBeUndefined();
      expect(await outages.csv(id)).toContain('of-the-dead');
    });
    await cluster.gateways[1]!.end('SIGKILL');
    const killedAt = Date.now();
    await eventually(async () => expect((await newest()).incomplete).toHaveLength(1), { withinMs: 20_000 });
    portal.allow();
    await untilAskedAgain();
    const report = await settled();
    const [incomplete] = report.incomplete;
    expect(incomplete!.from).toBeGreaterThanOrEqual(report.start);
    expect(incomplete!.from).toBeLessThanOrEqual(killedAt);
    expect(incomplete!.to).toBeGreaterThanOrEqual(killedAt);
    // What it had sent is there, and settled.
    expect(Object.values(report.results.onTrust).reduce((sum, each) => sum + each, 0)).toBe(report.lines);
  });

  it('keeps what a gateway notes while Redis is away, and misses one that dies before it is back', async () => {
    const other = await cluster.add('gateway');
    // Whom nobody had heard of would be missed by nobody.
    const added = Date.now();
    await eventually(async () => {
      const beats = await cluster.redis.cli('HVALS', 'usher:{bus}:nodes');
      const heard = Array.from(beats.matchAll(/"at":(\d+)/g), ([, at]) => Number(at));
      return heard.length > 0 && Math.min(...heard) > added;
    });
    await cluster.redis.kill();
    const gateways = [cluster.gateways[0]!, other];
    portal.status(500);
    for (const gateway of gateways) {
      await eventually(async () => {
        count += 1;
        await gateway.check({ sessionId: `away-${count}`, query: `token=away-${count}&mac=away-${count}` });
        expect(await gateway.problems()).toEqual(expect.arrayContaining(['Redis is away', SUSPENDED]));
      });
      // From now on it is the backend's outage, whatever the first ones were let in for.
      const last = {
        sessionId: `last-${gateway.port}`,
        query: `token=last-${gateway.port}&mac=last-${gateway.port}`,
      };
      expect(await gateway.check(last)).toMatchObject({ status: 200, source: 'fail-open' });
    }
    await other.end('SIGKILL');
    await cluster.redis.restart();
    const report = await eventually(
      async () => {
        const found = await newest();
        expect(found.columns.onTrust.sessions).toBeGreaterThan(0);
        expect(found.incomplete).toHaveLength(1);
        return found;
      },
      { withinMs: 20_000 },
    );
    expect(report.suspended).toBe(true);
    portal.allow();
    await untilAskedAgain();
    expect((await settled()).incomplete).toHaveLength(1);
  });
});

describe('a limit of letting in on trust', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let outages: Awaited<ReturnType<typeof readOutages>>;
  let count = 0;

  beforeAll(async () => {
    portal = await startFakePortal();
    const shared = {
      type: 'http',
      url: `${portal.url}/check`,
      timeout: '500ms',
      device: 'mac',
      breaker: { consecutive: 3, window: '2s', openFor: '1h' },
    };
    cluster = await startCluster(
      {
        edges: { 'astra-1': {} },
        gateway: { answerTtl: { allow: '1ms', deny: '1ms' }, grace: '1ms' },
        backends: {
          long: { ...shared, maxOutage: '6s' },
          full: { ...shared, failOpenBudget: { viewers: 5, enforce: true } },
        },
        routes: [{ match: { channel: 'full' }, backend: 'full' }, { backend: 'long' }],
      },
      { gateways: 2, workers: 1 },
    );
    outages = await readOutages(cluster.redis, 'long');
  });

  afterAll(async () => {
    await outages?.close();
    await cluster?.stop();
    await portal?.stop();
  });

  const check = async (gateway: number, channel: string, name: string): Promise<string> =>
    told(
      await cluster.gateways[gateway]!.check({
        channel,
        sessionId: name,
        query: `token=${name}&mac=${name}`,
        ip: '192.0.2.7',
      }),
    );
  const stranger = (gateway: number, channel: string): Promise<string> =>
    check(gateway, channel, `limit-${(count += 1)}`);

  it('is reached after maxOutage: nobody is let in on trust any more, and known viewers play on', async () => {
    expect(await check(0, 'long', 'known')).toBe('200 asked');
    portal.status(500);
    expect(await stranger(0, 'long')).toBe('200 fail-open');
    await eventually(
      async () => {
        for (const gateway of [0, 1]) expect(await stranger(gateway, 'long')).toBe('403 fail-closed');
      },
      { withinMs: 30_000, everyMs: 100 },
    );
    expect(await check(1, 'long', 'known')).toMatch(/^200 (session|stale|cache)$/);
    await eventually(async () => {
      const [report] = await outages.all();
      expect(report!.trustEnded).toMatchObject({ limit: 'maxOutage' });
      expect(report!.refusals).toBeGreaterThanOrEqual(2);
    });
    const lines = (await everythingIn(cluster.redis)).split('\n');
    // Once, whichever gateway noticed first.
    expect(lines.filter((line) => line === 'outage.expired')).toHaveLength(1);
  });

  it('is reached when a budget is spent: who is in stays, who is new is refused, through either gateway', async () => {
    portal.status(500);
    expect(await check(0, 'full', 'early')).toBe('200 fail-open');
    await eventually(async () => {
      for (const gateway of [0, 1]) expect(await stranger(gateway, 'full')).toBe('403 fail-closed');
    });
    for (const gateway of [0, 1]) expect(await check(gateway, 'full', 'early')).toBe('200 fail-open');
  });
});
