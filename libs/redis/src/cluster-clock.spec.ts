import { ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import type { RedisClient } from './client.js';
import { ClusterClock } from './cluster-clock.js';
import { connectRedis } from './connect-redis.js';

let redis: RedisProcess;
let client: RedisClient;

beforeAll(async () => {
  redis = await startRedis();
  client = connectRedis({ url: redis.url, timeout: 1_000 });
  await client.ready();
});

afterAll(async () => {
  await client.close();
  await redis.stop();
});

/** A machine whose clock is `behind` ms behind; its monotonic clock is the real one. */
const machine = (behind: number) => ({ monotonic: () => performance.now(), now: () => Date.now() - behind });

describe('ClusterClock', () => {
  it('is the system’s time until Redis was asked', () => {
    const system = new ManualClock(5_000);
    expect(new ClusterClock(client, { system }).now()).toBe(5_000);
  });

  it('follows the time of Redis, whatever the system’s clock says', async () => {
    const clock = new ClusterClock(client, { system: machine(3_600_000) });
    const before = Date.now();
    await clock.start();
    const now = clock.now();
    expect(now).toBeGreaterThanOrEqual(before - 1);
    expect(now).toBeLessThanOrEqual(Date.now() + 1);
    expect(Number.isInteger(now)).toBe(true);
    clock.stop();
  });

  it('goes on by the monotonic clock alone when the system’s clock is set', async () => {
    const system = new ManualClock(1_000);
    const clock = new ClusterClock(client, { system });
    await clock.sample();
    const first = clock.now();
    system.set(0);
    system.advance(250);
    expect(clock.now()).toBe(first + 250);
  });

  it('warns once when the system’s clock is more than a second off', async () => {
    const skews: number[] = [];
    const clock = new ClusterClock(client, { system: machine(5_000), onSkew: (skew) => skews.push(skew) });
    await clock.sample();
    await clock.sample();
    expect(skews).toHaveLength(1);
    expect(skews[0]).toBeGreaterThan(4_000);
    expect(skews[0]).toBeLessThan(6_000);
    const right = new ClusterClock(client, { onSkew: (skew) => skews.push(skew) });
    await right.sample();
    expect(skews).toHaveLength(1);
  });

  it('keeps the last offset while Redis is away', async () => {
    const own = await startRedis();
    const lost = connectRedis({ url: own.url, timeout: 1_000 });
    await lost.ready();
    const clock = new ClusterClock(lost, { system: machine(60_000) });
    await clock.sample();
    await own.stop();
    await clock.sample();
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(30_000);
    await lost.close();
  });

  it('never goes back by the noise of its samples', async () => {
    const clock = new ClusterClock(client);
    let last = 0;
    for (let i = 0; i < 200; i += 1) {
      await clock.sample();
      const now = clock.now();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });
});
