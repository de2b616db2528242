import { BUS_REDIS_OPTIONS, StreamClient } from '#usher/bus';
import { silentLog, type Clock } from '#usher/domain';
import { clusterHolds, type ClusterHolds } from '#usher/node';
import { connectionFactory, connectRedis, type RedisClient } from '#usher/redis';
import { EventWriter } from '#usher/sessions';
import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
/** Sooner than any process looks by itself: whoever knows by then was told. */
const TOLD = { withinMs: 4_000 };
const HOUR = { lasts: 3_600_000 };
const byHand = {
  effect: 'refuse',
  origin: 'hand',
  by: 'operator',
  reason: 'has not paid',
  time: HOUR,
} as const;

/** The test is one more process of the cluster: it sets holds. */
describe('a hold', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let redis: RedisClient;
  let bus: StreamClient;
  let holds: ClusterHolds;

  beforeAll(async () => {
    portal = await startFakePortal();
    portal.allow({ 'X-UserId': 'anna' });
    cluster = await startCluster(
      { backends: { portal: { type: 'http', url: `${portal.url}/check`, failMode: 'open' } } },
      { all: 1, gateways: 1 },
    );
    redis = connectRedis({ url: cluster.redis.url, timeout: 2_000 });
    await redis.ready();
    const open = connectionFactory({ url: cluster.redis.url } as never);
    const connect = () => open(BUS_REDIS_OPTIONS);
    bus = new StreamClient({ connect, id: 'test', now: () => clock.now() });
    const events = new EventWriter(redis, clock, { shards: 16 });
    holds = clusterHolds({ redis, bus, clock, log: silentLog, events });
    bus.events.start();
    await bus.connect();
  });

  afterAll(async () => {
    holds?.stop();
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
  const REFUSED = ['403 hold', '403 hold'];

  it('on a user refuses what both gateways had kept, and lets it be when it is lifted', async () => {
    const check = { sessionId: 'h-1', query: 'token=h-1' };
    await saidTo(check);
    expect(await saidTo(check)).toEqual(['200 cache', '200 cache']);
    await holds.set({ ...byHand, kind: 'user', subject: 'portal/anna' });
    await eventually(async () => expect(await saidTo(check)).toEqual(REFUSED), TOLD);
    expect(await saidTo({ sessionId: 'h-2', query: 'token=h-2' })).toEqual(REFUSED);
    const opened = await cluster.redis.cli('KEYS', 'usher:session:*:h-2');
    expect(opened).toBe('');
    await holds.lift('user', 'portal/anna', 'operator');
    await eventually(async () => expect(await saidTo(check)).toEqual(['200 cache', '200 cache']), TOLD);
  });

  it('refuses on while Redis is dead, and is given back when it comes empty, to processes that start then too', async () => {
    const check = { sessionId: 'h-3', query: 'token=h-3', ip: '198.51.100.9' };
    await holds.set({ ...byHand, kind: 'network', subject: '198.51.100.0/24' });
    await eventually(async () => expect(await saidTo(check)).toEqual(REFUSED), TOLD);
    await cluster.redis.kill();
    expect(await saidTo(check)).toEqual(REFUSED);
    holds.stop();
    await cluster.redis.restart({ empty: true });
    await cluster.whole();
    await eventually(async () =>
      expect(await cluster.redis.cli('HKEYS', 'usher:{holds}')).toContain('network:198.51.100.0%2F24'),
    );
    const late = await cluster.add('gateway');
    expect(await late.check(check as never)).toMatchObject({ status: 403, source: 'hold' });
  });
});
