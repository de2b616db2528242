import { METRICS } from '#usher/observe';
import { eventually, portalBehaviours, startFakePortal, startRedis } from '#usher/testing';
import type { FakePortal, RedisProcess } from '#usher/testing';
import { startUsher, type UsherProcess } from './support/usher-process.js';

describe('what one process with all roles tells at /metrics', () => {
  let redis: RedisProcess;
  let portal: FakePortal;
  let usher: UsherProcess;

  beforeAll(async () => {
    [redis, portal] = await Promise.all([startRedis(), startFakePortal()]);
    usher = await startUsher('all', {
      redis: { url: redis.url },
      backends: { portal: { type: 'http', url: portal.url } },
    });
  });

  afterAll(async () => {
    await usher?.end('SIGKILL');
    await Promise.all([redis?.stop(), portal?.down()]);
  });

  const page = async (): Promise<string> => (await usher.health('/metrics')).body;

  it('is every metric that there is: none is forgotten', async () => {
    const text = await page();
    const missing = Object.values(METRICS).filter(({ name }) => !text.includes(`# TYPE ${name} `));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it('follows one check from the edge to the backend and into the registry', async () => {
    expect(await usher.check()).toMatchObject({ status: 200, source: 'backend' });
    expect(await usher.check()).toMatchObject({ status: 200, source: 'cache' });
    await eventually(async () => (await page()).includes('usher_sessions{presence="assumed"} 1\n'));
    const text = await page();
    for (const line of [
      'usher_checks_total{dialect="astra",decision="allow",source="backend"} 1',
      'usher_checks_total{dialect="astra",decision="allow",source="cache"} 1',
      'usher_bus_asked_total{result="answered"} 1',
      'usher_bus_served_total{result="replied"} 1',
      'usher_backend_calls_total{backend="portal",result="allow"} 1',
      'usher_backend_call_duration_seconds_count{backend="portal"} 1',
      'usher_cache_lookups_total{result="hit"} 1',
      'usher_cache_entries 1',
      'usher_viewers{backend="portal",standing="on-trust"} 0',
    ]) {
      expect(text).toContain(`\n${line}\n`);
    }
  });

  it('counts who is let in on trust apart from who is known', async () => {
    portal.behave(portalBehaviours.status(500));
    const known = await usher.check({ sessionId: '43', query: 'token=new' });
    const stranger = await usher.check({ sessionId: '44', ip: '192.0.2.99' });
    expect([known.source, stranger.source]).toEqual(['known', 'fail-open']);
    const text = await page();
    expect(text).toContain('\nusher_viewers{backend="portal",standing="known"} 1\n');
    expect(text).toContain('\nusher_viewers{backend="portal",standing="on-trust"} 1\n');
    expect(text).toContain('\nusher_backend_calls_total{backend="portal",result="failed"} 2\n');
  });
});
