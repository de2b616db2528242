import { silentLog } from '#usher/domain';
import type { Clock } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { TimedFollower } from '../timed/timed-follower.js';
import type { HeldRecord } from './hold-record.js';
import { HoldMemory } from './hold-memory.js';
import { HoldTable } from './hold-table.js';
import type { NewHold } from './hold-table.js';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const HOUR = 3_600_000;
const hold = (part: Partial<NewHold> = {}): NewHold => ({
  kind: 'user',
  subject: 'portal/anna',
  effect: 'refuse',
  origin: 'hand',
  by: 'operator',
  reason: 'has not paid',
  time: { lasts: HOUR },
  ...part,
});

let server: RedisProcess;
let redis: RedisClient;
let table: HoldTable;
const followers: TimedFollower<HeldRecord>[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  table = new HoldTable(redis);
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
});

afterEach(() => {
  for (const follower of followers.splice(0)) follower.stop();
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

function gateway() {
  const memory = new HoldMemory(clock);
  const follower = new TimedFollower({ table, memory, redis, log: silentLog });
  followers.push(follower);
  const isHeld = (user: string): boolean => memory.ofUser('portal', user, '')?.effect === 'refuse';
  return { memory, follower, isHeld };
}

describe('the table of holds', () => {
  it('is followed: what is set and lifted is known at the next look, with who and why', async () => {
    const { memory, follower, isHeld } = gateway();
    await follower.look();
    await table.set(hold());
    await follower.look();
    expect([...memory.holds()]).toEqual([
      expect.objectContaining({
        subject: 'portal/anna',
        by: 'operator',
        reason: 'has not paid',
        origin: 'hand',
      }),
    ]);
    expect(await table.lift('user', 'portal/anna', 'operator')).toBe(true);
    expect(await table.lift('user', 'portal/anna', 'operator')).toBe(false);
    await follower.look();
    expect(isHeld('anna')).toBe(false);
  });

  it('is read whole by a process that starts, whatever its size', async () => {
    const users = Array.from({ length: 1_203 }, (_, i) => `user-${i}`);
    await Promise.all(users.map((user) => table.set(hold({ subject: `portal/${user}` }))));
    const { memory, follower, isHeld } = gateway();
    await follower.look();
    expect(memory.size).toBe(1_203);
    expect(users.every(isHeld)).toBe(true);
  });

  it('is given back to a Redis that came back empty, and what was lifted stays lifted', async () => {
    const one = gateway();
    const other = gateway();
    await table.set(hold());
    await table.set(hold({ subject: 'portal/bob' }));
    await one.follower.look();
    await table.lift('user', 'portal/bob', 'operator');
    await other.follower.look();
    await redis.call('FLUSHALL', []);
    // The one that did not hear of the lifting is the first to give back what it knows.
    await one.follower.look();
    await other.follower.look();
    await one.follower.look();
    const { memory, follower, isHeld } = gateway();
    await follower.look();
    expect(memory.size).toBe(2);
    expect(isHeld('anna')).toBe(true);
    expect(isHeld('bob')).toBe(false);
    expect(one.isHeld('bob')).toBe(false);
  });

  it('is given back though somebody wrote to the empty Redis first', async () => {
    const { follower } = gateway();
    await table.set(hold());
    await follower.look();
    await redis.call('FLUSHALL', []);
    await table.set(hold({ subject: 'portal/bob' }));
    await follower.look();
    const { follower: fresh, isHeld } = gateway();
    await fresh.look();
    expect([isHeld('anna'), isHeld('bob')]).toEqual([true, true]);
  });

  it('holds a series for twice as long each time, up to a most, and begins anew after a pause', async () => {
    const time = { lasts: 60_000, doubled: { within: 600_000, most: 200_000 } };
    const eviction = hold({ origin: 'eviction', time });
    const lengths: number[] = [];
    for (let i = 0; i < 4; i += 1) {
      const { since, until } = await table.set(eviction);
      lengths.push(Math.round((until - since) / 10_000) * 10_000);
    }
    expect(lengths).toEqual([60_000, 120_000, 200_000, 200_000]);
    const [name] = (await redis.call('ZRANGE', ['usher:{holds}:order', 0, 0])) as string[];
    const old = Date.now() - 600_001;
    await redis.call('HSET', ['usher:{holds}', name!, `${old}|${Date.now() + 1000}|3|{}`]);
    const { since, until } = await table.set(eviction);
    expect(Math.round((until - since) / 10_000)).toBe(6);
  });

  it('refuses a time that is past', async () => {
    await expect(table.set(hold({ time: { until: Date.now() - 1 } }))).rejects.toThrow('past');
  });

  it('forgets in Redis what has been over for a while, and ends with the last of it', async () => {
    await table.set(hold());
    const ended = Date.now() - 1;
    await redis.call('ZADD', ['usher:{holds}:until', ended, 'user:portal%2Fanna']);
    await table.set(hold({ subject: 'portal/bob' }));
    const names = (await redis.call('HKEYS', ['usher:{holds}'])) as string[];
    expect(names.sort()).toEqual(['#epoch', 'user:portal%2Fbob']);
    expect(await redis.call('ZCARD', ['usher:{holds}:order'])).toBe(1);
    for (const key of ['usher:{holds}', 'usher:{holds}:order', 'usher:{holds}:until']) {
      const life = Number(await redis.call('PTTL', [key]));
      expect(life).toBeGreaterThan(HOUR);
      expect(life).toBeLessThan(2 * HOUR);
    }
  });

  it('steps over what another version wrote', async () => {
    await table.set(hold());
    await redis.call('HSET', ['usher:{holds}', 'planet:mars', '1|9999999999999|0|{"v":1,"effect":"refuse"}']);
    await redis.call('ZADD', ['usher:{holds}:order', 1, 'planet:mars']);
    await redis.call('HSET', ['usher:{holds}', 'user:portal%2Fx', '1|9999999999999|0|{"v":2,"effect":"?"}']);
    await redis.call('ZADD', ['usher:{holds}:order', 2, 'user:portal%2Fx']);
    const { memory, follower } = gateway();
    await follower.look();
    expect([...memory.holds()].map(({ subject }) => subject)).toEqual(['portal/anna']);
  });

  it('is looked at again by itself, and what is over leaves memory', async () => {
    const memory = new HoldMemory(clock);
    const follower = new TimedFollower({ table, memory, redis, log: silentLog, every: 10 });
    followers.push(follower);
    follower.start();
    await table.set(hold({ time: { lasts: 500 } }));
    await eventually(() => memory.size === 1);
    await eventually(() => memory.size === 0);
  });
});
