import type { SessionName } from '#usher/domain';
import { EPOCH, connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { EpochWatcher } from './epoch-watcher.js';
import { aSession } from './for-tests.js';
import { healRegistry } from './heal-registry.js';
import { RedisSessionRegistry } from './redis-session-registry.js';
import { whereKeyOf } from './session-names.js';
import { SignsOfLife } from './signs-of-life.js';

let server: RedisProcess;
let redis: RedisClient;
let clock: ManualClock;
let registry: RedisSessionRegistry;

beforeEach(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 2_000 });
  await redis.ready();
  clock = new ManualClock(Date.now());
  registry = new RedisSessionRegistry(redis, clock, { shards: 4 });
});

afterEach(async () => {
  await redis.close();
  await server.stop();
});

async function restartEmpty(): Promise<void> {
  await server.kill();
  await eventually(() => redis.away);
  await server.restart({ empty: true });
  await redis.ready();
}

describe('signs of life', () => {
  const later = (): number => clock.now() + 5_000_000;

  it('say how often a session was asked about, and its end tells the sum and how long it lasted', async () => {
    const signs = new SignsOfLife(redis, registry, clock);
    const session = aSession({ openedAt: clock.now() - 5_000 });
    const shard = registry.shardOf(session);
    await registry.open(session);
    for (const checks of [3, 4]) {
      signs.note(session, shard, later(), checks);
      signs.note(session, shard, later() + 1, 1);
      await signs.flush();
    }
    await registry.open({ ...session, state: 'unconfirmed' });
    await registry.close(session, 'closed-by-edge');
    const entries = (await redis.call('XRANGE', [`usher:events:{${shard}}`, '-', '+'])) as [
      string,
      string[],
    ][];
    const fields = entries.at(-1)![1];
    const of = (name: string) => Number(fields[fields.indexOf(name) + 1]);
    expect(of('checks')).toBe(10);
    expect(of('lasted')).toBeGreaterThanOrEqual(5_000);
  });

  it('of many sessions go in batches, shard by shard', async () => {
    const sessions = Array.from({ length: 1_300 }, (_, i) => aSession({ sessionId: String(i), user: 'one' }));
    for (let from = 0; from < sessions.length; from += 100) {
      await Promise.all(sessions.slice(from, from + 100).map((session) => registry.open(session)));
    }
    const signs = new SignsOfLife(redis, registry, clock);
    await redis.call('CONFIG', ['RESETSTAT']);
    for (const session of sessions) signs.note(session, registry.shardOf(session), later());
    expect(signs.size).toBe(1_300);
    await signs.flush();
    expect(signs.size).toBe(0);
    expect(await server.cli('INFO', 'commandstats')).toMatch(/cmdstat_zadd:calls=3,/);
    expect(await registry.read(sessions[1_299]!)).toMatchObject({ aliveUntil: later() });
  });

  it('renew where their sessions are, in one script for each home shard', async () => {
    const sessions = Array.from({ length: 400 }, (_, i) => aSession({ sessionId: String(i), user: 'one' }));
    for (const session of sessions) await registry.open(session);
    const signs = new SignsOfLife(redis, registry, clock);
    const until = clock.now() + 10_000_000;
    for (const session of sessions) signs.note(session, registry.shardOf(session), until);
    const elsewhere = sessions.map((session) => whereKeyOf(session, 4));
    const keys = elsewhere.filter((key) => !key.includes(`{${registry.shardOf(sessions[0]!)}}`));
    for (const key of keys) await redis.call('PEXPIRE', [key, 1_000]);
    // Known to the server from now on.
    await registry.keepWhere('99', [sessions[0]!]);
    await redis.call('CONFIG', ['RESETSTAT']);
    await signs.flush();
    const [, calls] = /cmdstat_evalsha:calls=(\d+),/.exec(await server.cli('INFO', 'commandstats'))!;
    expect(Number(calls)).toBeLessThanOrEqual(4);
    expect(keys.length).toBeGreaterThan(200);
    for (const key of keys) expect(await redis.call('PTTL', [key])).toBeGreaterThan(13_000_000);
  });

  it('of a session noted often are one, the newest', async () => {
    const session = aSession();
    await registry.open(session);
    const signs = new SignsOfLife(redis, registry, clock);
    const shard = registry.shardOf(session);
    for (let i = 0; i < 5; i += 1) signs.note(session, shard, later() + i);
    expect(signs.size).toBe(1);
    await signs.flush();
    expect(await registry.read(session)).toMatchObject({ aliveUntil: later() + 4 });
  });

  it('wait while Redis is away, and go when it is back; what is over by then does not', async () => {
    const [one, two] = [aSession({ sessionId: '1' }), aSession({ sessionId: '2' })];
    const signs = new SignsOfLife(redis, registry, clock);
    signs.note(one, registry.shardOf(one), later());
    signs.note(two, registry.shardOf(two), clock.now() + 1_000);
    server.pause();
    clock.advance(2_000);
    // Late, not yet known to be away: what was under way is kept.
    await signs.flush();
    expect(signs.size).toBe(1);
    server.resume();
    await redis.ready();
    await registry.open(one);
    await eventually(async () => {
      await signs.flush();
      return signs.size === 0;
    });
    expect(await registry.read(one)).toMatchObject({ aliveUntil: later() - 2_000 });
  });

  it('are bounded: what does not fit is counted', () => {
    const signs = new SignsOfLife(redis, registry, clock, { capacity: 3 });
    const names = ['1', '2', '3', '4', '5'].map((sessionId) => ({ edge: 'e', sessionId }));
    for (const name of [...names, ...names]) signs.note(name, '01', later());
    expect(signs.size).toBe(3);
    expect(signs.dropped).toBe(4);
  });

  it('of sessions that the registry has no record of are told', async () => {
    const missing: SessionName[] = [];
    const signs = new SignsOfLife(redis, registry, clock, { onMissing: (names) => missing.push(...names) });
    const session = aSession();
    signs.note(session, registry.shardOf(session), later());
    await signs.stop();
    expect(missing).toEqual([{ edge: 'astra-1', sessionId: '42' }]);
  });
});

describe('the epoch', () => {
  it('is made once for all, and a Redis that came back empty is noticed by all, once', async () => {
    let [mine, yours] = [0, 0];
    const first = new EpochWatcher(redis, () => (mine += 1));
    const second = new EpochWatcher(redis, () => (yours += 1));
    await Promise.all([first.look(), second.look()]);
    expect(first.epoch).toBe(second.epoch);
    expect([mine, yours]).toEqual([0, 0]);
    await restartEmpty();
    await Promise.all([first.look(), second.look(), first.look()]);
    expect(first.epoch).toBe(second.epoch);
    expect([mine, yours]).toEqual([1, 1]);
  });

  it('is looked at when Redis is back, without waiting for the next time', async () => {
    let emptied = 0;
    const watcher = new EpochWatcher(redis, () => (emptied += 1), { every: 3_600_000 });
    watcher.start();
    await eventually(() => watcher.epoch !== undefined);
    await restartEmpty();
    await eventually(() => emptied === 1);
    watcher.stop();
  });

  it('of one shard is enough: one master of a cluster may come back empty by itself', async () => {
    let emptied = 0;
    const watcher = new EpochWatcher(redis, () => (emptied += 1), { shards: 4 });
    await watcher.look();
    await watcher.look();
    expect(emptied).toBe(0);
    await redis.call('DEL', [`${EPOCH}:{02}`]);
    await watcher.look();
    expect(emptied).toBe(1);
  });

  it('of garbage disturbs nobody', async () => {
    await redis.call('LPUSH', [EPOCH, 'garbage']);
    const watcher = new EpochWatcher(redis, () => undefined);
    await watcher.look();
    expect(watcher.epoch).toBeUndefined();
  });
});

describe('healing', () => {
  it('writes back what an empty Redis lacks, paced, and what lives; what is there stays as it is', async () => {
    await restartEmpty();
    const held = Array.from({ length: 120 }, (_, i) => aSession({ sessionId: String(i) }));
    const better = { ...held[5]!, presence: 'listed' as const };
    await registry.open(better);
    held[7] = { ...held[7]!, aliveUntil: clock.now() - 1 };
    let waited = 0;
    const pause = async (ms: number): Promise<void> => {
      waited += ms;
    };
    const healed = await healRegistry(held, redis, registry, clock, { perSecond: 1_000, pause });
    expect(healed).toEqual({ offered: 119, written: 118, failed: 0 });
    expect(waited).toBe(120);
    expect(await registry.find(held[119]!, held[119]!.fingerprint)).toMatchObject({ kind: 'same' });
    expect(await registry.read(better)).toMatchObject({ presence: 'listed' });
    expect(await registry.read(held[7])).toBeUndefined();
  });

  it('ends early when told to, and counts what failed', async () => {
    const stop = new AbortController();
    const held = Array.from({ length: 120 }, (_, i) => aSession({ sessionId: String(i) }));
    const [first] = held;
    await redis.call('SET', [`usher:session:{${registry.shardOf(first!)}}:astra-1:0`, 'garbage']);
    const pause = async (): Promise<void> => stop.abort();
    const healed = await healRegistry(held, redis, registry, clock, { pause, signal: stop.signal });
    expect(healed).toEqual({ offered: 50, written: 49, failed: 1 });
  });
});
