import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { startRedisCluster } from '#usher/testing';
import type { RedisClusterProcess } from '#usher/testing';
import { noTotals } from './ledger-totals.js';
import { OutageReports } from './outage-report.js';
import { OUTAGE_BOUNDS, OutageStore } from './outage-store.js';

let cluster: RedisClusterProcess;
let redis: RedisClient;

beforeAll(async () => {
  cluster = await startRedisCluster(3);
  redis = connectRedis({ url: cluster.url, cluster: true, timeout: 5_000 });
  await redis.ready();
});

afterAll(async () => {
  await redis.close();
  await cluster.stop();
});

it('on a Redis Cluster every outage of a backend lies in one slot: opened, written, ended, settled, given up', async () => {
  const store = new OutageStore(redis, { ...OUTAGE_BOUNDS, outages: 2 });
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const backends = ['portal', 'b.2', 'Billing_3'];
  const start = clock.now() - 600_000;
  for (const backend of backends) {
    for (let round = 0; round < 3; round += 1) {
      const at = start + 100_000 * round;
      const { name, status } = await store.open(backend, 'backend', at, at);
      expect(status).toBe('opened');
      const facts = {
        edge: 'astra-1',
        session: '1',
        user: '',
        viewer: 'v',
        channel: 'a001',
        ip: '192.0.2.7',
      };
      const times = { from: at, since: at, until: 0, ms: 0, result: '', resultAt: 0 } as const;
      const field = 't|astra-1:1|f1';
      const line = { ...times, field, column: 'onTrust', isNew: true, facts, sealed: 'sealed' } as const;
      const write = { node: 'one', state: 'done', totals: noTotals(), lastAt: at, start: at } as const;
      expect((await store.write(name, { ...write, lines: [line] })).lines).toEqual(['mine']);
      await store.end(name, 'backend', at + 60_000, 0);
      await store.settleLines(
        name,
        at,
        [{ field, column: 'onTrust', endedAt: at + 30_000, result: 'gone' }],
        at,
      );
      await store.settled(name, clock.now());
    }
  }
  const all = await new OutageReports(store, clock).list(backends);
  expect(all).toHaveLength(2 * backends.length);
  for (const { columns } of all) expect(columns.onTrust).toEqual({ sessions: 1, viewerMinutes: 0.5 });
});
