import { configSchema } from '#usher/config';
import { silentLog, type BackendAnswer } from '#usher/domain';
import { Metrics } from '#usher/observe';
import { ClusterClock, connectRedis, createSealer, type RedisClient } from '#usher/redis';
import { eventually, portalBehaviours, startFakePortal, startRedis } from '#usher/testing';
import type { FakePortal, RedisProcess } from '#usher/testing';
import { askPortal } from './for-tests.js';
import { readNodeMetrics } from './node-metrics.js';
import { startNode, type ClusterNode } from './start-node.js';

let server: RedisProcess;
let portal: FakePortal;
let redis: RedisClient;
let clock: ClusterClock;
let node: ClusterNode;
let metrics: Metrics;

beforeEach(async () => {
  [server, portal] = await Promise.all([startRedis(), startFakePortal()]);
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  clock = new ClusterClock(redis);
  await clock.start();
  node = await startNode({
    config: configSchema.parse({
      redis: { url: server.url },
      backends: { portal: { type: 'http', url: portal.url, timeout: '5s' } },
    }),
    log: silentLog,
    id: 'one',
    host: 'test',
    version: '1.2.3',
    roles: ['gateway', 'worker'],
    random: Math.random,
    redis,
    clock,
    sealer: createSealer(['a secret of sixteen characters']),
  });
  metrics = new Metrics();
  readNodeMetrics(node, metrics);
});

afterEach(async () => {
  metrics.close();
  await node.close();
  clock.stop();
  await redis.close();
  await Promise.all([portal.down(), server.stop()]);
});

/** The number of a metric, as it is scraped. */
async function scraped(name: string): Promise<number | undefined> {
  const line = (await metrics.text()).split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

const ask = (sessionId: string): Promise<BackendAnswer> =>
  askPortal(node, sessionId, { known: false, within: 20_000 });

describe('what a node tells', () => {
  it('says who it is and how it stands to Redis', async () => {
    expect(await scraped('usher_info{version="1.2.3",role="gateway+worker",node="one"}')).toBe(1);
    expect(await scraped('usher_redis_away')).toBe(0);
    expect(Math.abs((await scraped('usher_clock_offset_seconds'))!)).toBeLessThan(1);
    await server.kill();
    await eventually(async () => (await scraped('usher_redis_away')) === 1);
  });

  it('counts calls by backend and result, and how long they took', async () => {
    expect(await scraped('usher_backend_calls_total{backend="portal",result="allow"}')).toBe(0);
    await ask('1');
    portal.behave(portalBehaviours.deny());
    await ask('2');
    expect(await scraped('usher_backend_calls_total{backend="portal",result="allow"}')).toBe(1);
    expect(await scraped('usher_backend_calls_total{backend="portal",result="deny"}')).toBe(1);
    expect(await scraped('usher_backend_call_duration_seconds_count{backend="portal"}')).toBe(2);
    expect(await scraped('usher_backend_call_duration_seconds_sum{backend="portal"}')).toBeGreaterThan(0);
  });

  it('counts the calls in flight', async () => {
    portal.behave(portalBehaviours.hang());
    const asked = ask('1');
    await eventually(() => portal.inFlight === 1);
    expect(await scraped('usher_backend_calls_in_flight{backend="portal"}')).toBe(1);
    portal.behave(portalBehaviours.allow());
    await node.adapters.get('portal')!.close();
    await asked;
    expect(await scraped('usher_backend_calls_in_flight{backend="portal"}')).toBe(0);
  });

  it('shows the breaker’s state, and counts where it went', async () => {
    expect(await scraped('usher_breaker_state{backend="portal",state="closed"}')).toBe(1);
    portal.behave(portalBehaviours.status(500));
    for (const id of ['1', '2', '3', '4', '5']) await ask(id);
    await eventually(
      async () => (await scraped('usher_breaker_state{backend="portal",state="suspended"}')) === 1,
    );
    expect(await scraped('usher_breaker_state{backend="portal",state="closed"}')).toBe(0);
    expect(await scraped('usher_breaker_transitions_total{backend="portal",to="suspended"}')).toBe(1);
    expect(await scraped('usher_breaker_transitions_total{backend="portal",to="closed"}')).toBe(0);
  });

  it('counts what became of its questions on the bus', async () => {
    await node.bus.request('check', 'x', { lane: 'portal', takeWithinMs: 50 });
    expect(await scraped('usher_bus_timeouts_total{kind="not-taken"}')).toBe(1);
    expect(await scraped('usher_bus_asked_total{result="sent"}')).toBe(1);
    expect(await scraped('usher_bus_asked_total{result="answered"}')).toBe(0);
    expect(await scraped('usher_bus_gaps_total')).toBe(0);
  });
});
