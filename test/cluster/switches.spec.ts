import { BUS_REDIS_OPTIONS, StreamClient } from '#usher/bus';
import { configSchema } from '#usher/config';
import { silentLog, type Clock } from '#usher/domain';
import { clusterSwitches, type ClusterSwitches } from '#usher/node';
import { connectionFactory, connectRedis, type RedisClient } from '#usher/redis';
import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
/** Sooner than any process looks by itself: whoever knows by then was told. */
const TOLD = { withinMs: 4_000 };
const HOUR = { lasts: 3_600_000 };
const byHand = { kind: 'backend', name: 'portal', by: 'anna', reason: 'new disks', time: HOUR } as const;

/** The test is one more process of the cluster: it sets switches. */
describe('a switch', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let redis: RedisClient;
  let bus: StreamClient;
  let switches: ClusterSwitches;

  beforeAll(async () => {
    portal = await startFakePortal();
    portal.allow({ 'X-UserId': 'anna' });
    const config = {
      backends: { portal: { type: 'http', url: `${portal.url}/check`, failMode: 'open' } },
      routes: [{ name: 'sports', match: { channel: 's*' }, backend: 'portal' }, { backend: 'portal' }],
    };
    cluster = await startCluster(config, { all: 1, gateways: 1 });
    redis = connectRedis({ url: cluster.redis.url, timeout: 2_000 });
    await redis.ready();
    const open = connectionFactory({ url: cluster.redis.url } as never);
    bus = new StreamClient({ connect: () => open(BUS_REDIS_OPTIONS), id: 'test', now: () => clock.now() });
    switches = clusterSwitches({
      redis,
      bus,
      clock,
      log: silentLog,
      config: configSchema.parse(config),
      events: { tell: async () => undefined },
      onChange: () => undefined,
    });
    bus.events.start();
    await bus.connect();
  });

  afterAll(async () => {
    switches?.stop();
    await bus?.close();
    await redis?.close();
    await cluster?.stop();
    await portal?.stop();
  });

  const saidTo = (check: object): Promise<string[]> =>
    Promise.all(
      cluster.gateways.map(async (gateway) => {
        const { status, source } = await gateway.check(check as never);
        return `${status} ${source}`;
      }),
    );
  let fresh = 0;
  /** A viewer of whom nothing is known. */
  const stranger = (part: object = {}): Promise<string[]> => {
    fresh += 1;
    return saidTo({ sessionId: `n-${fresh}`, query: `token=n-${fresh}`, ip: `198.51.100.${fresh}`, ...part });
  };
  const both = (said: string): string[] => [said, said];
  const isSwitched = async (): Promise<boolean> =>
    (await Promise.all(cluster.gateways.map((gateway) => gateway.problems()))).every((words) =>
      words.some((word) => word.includes('is switched')),
    );
  const asked = (): number => portal.requests.length;

  it('to maintenance: nobody is asked, who was allowed plays on, others get the fail mode, and no alarm is raised', async () => {
    const mine = { sessionId: 's-1', query: 'token=s-1' };
    await saidTo(mine);
    expect(await saidTo(mine)).toEqual(both('200 cache'));
    await switches.set({ ...byHand, mode: 'maintenance' });
    await eventually(isSwitched, TOLD);
    await portal.down();
    const before = asked();
    expect(await saidTo(mine)).toEqual(both('200 cache'));
    for (let i = 0; i < 20; i += 1) expect(await stranger()).toEqual(both('200 fail-open'));
    expect(asked()).toBe(before);
    const [words] = await Promise.all(cluster.gateways.map((gateway) => gateway.problems()));
    expect(words).toEqual([
      expect.stringMatching(/^backend portal is switched: maintenance until .*Z, by anna$/),
    ]);
    const { body } = await cluster.gateway.health('/metrics');
    expect(body).toMatch(/^usher_switched\{.*backend="portal".*mode="maintenance".*\} 1$/m);
    expect(body).toMatch(/^usher_breaker_state\{.*state="closed".*\} 1$/m);
  });

  it('to closed refuses new viewers and cuts nobody; lifted, everybody is asked about at once', async () => {
    const trusted = { sessionId: 's-2', query: 'token=s-2', ip: '203.0.113.2' };
    expect(await saidTo(trusted)).toEqual(both('200 fail-open'));
    await switches.set({ ...byHand, mode: 'closed' });
    await eventually(async () => expect(await stranger()).toEqual(both('403 fail-closed')), TOLD);
    expect(await saidTo({ sessionId: 's-1', query: 'token=s-1' })).toEqual(both('200 cache'));
    // Let in on trust, he was allowed by nobody.
    expect(await saidTo(trusted)).toEqual(both('403 fail-closed'));
    await portal.up();
    await switches.lift('backend', 'portal', 'anna');
    await eventually(async () => expect((await stranger())[0]).toBe('200 backend'), TOLD);
    await cluster.whole();
  });

  it('on a route leaves the others alone', async () => {
    await switches.set({ ...byHand, kind: 'route', name: 'sports', mode: 'closed' });
    await eventually(
      async () => expect(await stranger({ channel: 's1' })).toEqual(both('403 fail-closed')),
      TOLD,
    );
    expect((await stranger({ channel: 'news' }))[0]).toBe('200 backend');
    await switches.lift('route', 'sports', 'anna');
    await cluster.whole();
  });

  it('ends by itself while Redis is dead, and what was let in on trust under it is asked about', async () => {
    const until = Date.now() + 5_000;
    await switches.set({ ...byHand, mode: 'open', time: { until } });
    await eventually(isSwitched, TOLD);
    const trusted = { sessionId: 's-3', query: 'token=s-3', ip: '203.0.113.3' };
    expect(await saidTo(trusted)).toEqual(both('200 fail-open'));
    await cluster.redis.kill();
    expect(await saidTo(trusted)).toEqual(both('200 fail-open'));
    // Each gateway asks once, and they need not do so in one moment.
    const said: string[][] = [[], []];
    await eventually(
      async () => {
        for (const [gateway, answer] of (await saidTo(trusted)).entries()) said[gateway]!.push(answer);
        for (const answers of said) expect(answers).toContain('200 direct');
      },
      { withinMs: 60_000 },
    );
    expect(Date.now()).toBeGreaterThanOrEqual(until);
    await cluster.redis.restart({ empty: true });
    await cluster.whole();
  });

  it('is given back to a Redis that comes empty, to processes that start then too', async () => {
    // The test before restarted it.
    await eventually(() => switches.set({ ...byHand, mode: 'closed' }));
    await eventually(isSwitched, TOLD);
    await cluster.redis.kill();
    switches.stop();
    await cluster.redis.restart({ empty: true });
    await eventually(
      async () => expect(await cluster.redis.cli('HKEYS', 'usher:{switches}')).toContain('backend:portal'),
      { withinMs: 15_000 },
    );
    expect(await stranger()).toEqual(both('403 fail-closed'));
  });
});
