import { silentLog } from '#usher/domain';
import type { LogFields } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { eventually, ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { Reconciler } from '../presence/reconciler.js';
import type { ListedSession } from '../presence/listed-session.js';
import { aSession } from '../registry/for-tests.js';
import { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { Leases } from './leases.js';
import { EDGE_GROUPS, ListJob } from './list-job.js';
import type { ListedEdge } from './list-job.js';
import { SweepJob } from './sweep-job.js';

let server: RedisProcess;
let redis: RedisClient;
let clock: ManualClock;
let registry: RedisSessionRegistry;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  clock = new ManualClock(Date.now());
  registry = new RedisSessionRegistry(redis, clock, { shards: 4 });
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

function leasesOf(owner: string, parts = 16, sharers = 1): Leases {
  return new Leases(redis, clock, { job: 'test', parts, owner, sharers: () => sharers });
}

function held(leases: Leases, parts = 16): number[] {
  return Array.from({ length: parts }, (_, part) => part).filter((part) => leases.holds(part));
}

describe('leases', () => {
  it('are each held by one process only, whoever asks at once', async () => {
    const all = ['a', 'b', 'c'].map((owner) => leasesOf(owner));
    await Promise.all(all.map((leases) => leases.renew()));
    const parts = all.flatMap((leases) => held(leases)).sort((a, b) => a - b);
    expect(parts).toEqual(Array.from({ length: 16 }, (_, part) => part));
  });

  it('are shared: a newcomer gets its part as soon as the others heard of it', async () => {
    let sharers = 1;
    const old = new Leases(redis, clock, { job: 'test', parts: 16, owner: 'old', sharers: () => sharers });
    await old.renew();
    expect(held(old)).toHaveLength(16);
    sharers = 2;
    await old.renew();
    const fresh = leasesOf('fresh', 16, 2);
    await fresh.renew();
    expect([held(old).length, held(fresh).length]).toEqual([8, 8]);
  });

  it('of a process that died are free after their life, and it does not think to hold them', async () => {
    const dead = leasesOf('dead', 1);
    const heir = leasesOf('heir', 1);
    await dead.renew();
    await heir.renew();
    expect(heir.holds(0)).toBe(false);
    expect(Number(await server.cli('PTTL', 'usher:lease:test:00'))).toBeLessThanOrEqual(15_000);
    clock.advance(15_000);
    expect(dead.holds(0)).toBe(false);
    await server.cli('PEXPIRE', 'usher:lease:test:00', '0');
    await heir.renew();
    expect(heir.holds(0)).toBe(true);
  });

  it('that were let go are free at once; nobody lets another’s go', async () => {
    const [one, two] = [leasesOf('one', 1), leasesOf('two', 1)];
    await one.renew();
    await two.renew();
    await two.release();
    expect(await server.cli('GET', 'usher:lease:test:00')).toBe('one');
    await one.release();
    await two.renew();
    expect(two.holds(0)).toBe(true);
  });
});

describe('the job that reads session lists', () => {
  const said: { level: string; message: string; fields: LogFields }[] = [];
  const log = {
    ...silentLog,
    warn: (fields: LogFields, message: string) => said.push({ level: 'warn', message, fields }),
    info: (fields: LogFields, message: string) => said.push({ level: 'info', message, fields }),
  };

  function jobOf(owner: string, edges: readonly ListedEdge[], sharers = 1): ListJob {
    const reconciler = new Reconciler(redis, registry, clock, { life: 14_400_000 });
    const leases = leasesOf(owner, EDGE_GROUPS, sharers);
    return new ListJob({ redis, clock, random: () => 0.5, log, reconciler, leases, edges });
  }

  async function round(...jobs: ListJob[]): Promise<void> {
    for (const job of jobs) {
      await job.look();
      await job.settled();
    }
  }

  beforeEach(() => {
    said.length = 0;
  });

  it('reads each edge’s list in its interval, in one process only, and closes what is gone', async () => {
    const read: string[] = [];
    const listed: ListedSession[] = [{ id: '1' }, { id: '2' }];
    const edges = Array.from({ length: 10 }, (_, i) => ({
      name: `astra-${i}`,
      interval: 30_000,
      read: async () => {
        read.push(`astra-${i}`);
        return listed;
      },
    }));
    for (const sessionId of ['1', '2', '3']) {
      const openedAt = clock.now() - 20_000;
      await registry.open(aSession({ edge: 'astra-4', sessionId, openedAt }));
    }
    const [one, two] = [jobOf('one', edges), jobOf('two', edges)];
    clock.advance(5_000);
    await round(one, two);
    expect(read.sort()).toEqual(edges.map((edge) => edge.name));
    await round(one, two);
    expect(read).toHaveLength(10);
    expect(await registry.read({ edge: 'astra-4', sessionId: '1' })).toMatchObject({ presence: 'listed' });
    clock.advance(14_000);
    await round(one, two);
    clock.advance(14_000);
    await round(one, two);
    clock.advance(2_000);
    await round(one, two);
    expect(read).toHaveLength(20);
    expect(await registry.read({ edge: 'astra-4', sessionId: '3' })).toBeUndefined();
    expect(await registry.read({ edge: 'astra-4', sessionId: '2' })).toBeDefined();
    expect(one.statuses().get('astra-4')).toMatchObject({ trouble: '', byId: 4, byFacts: 0 });
    expect(two.statuses().size).toBe(0);
  });

  it('goes on in another process when the first one ends', async () => {
    let reads = 0;
    const read = async (): Promise<ListedSession[]> => {
      reads += 1;
      return [];
    };
    const [one, two] = [0, 1].map((i) => jobOf(String(i), [{ name: 'astra-1', interval: 1_000, read }]));
    clock.advance(5_000);
    await round(one!, two!);
    expect([reads, one!.statuses().size, two!.statuses().size]).toEqual([1, 1, 0]);
    await one!.stop();
    clock.advance(5_000);
    await round(two!);
    expect([reads, two!.statuses().size]).toEqual([2, 1]);
  });

  it('says once why a list is of no use, once that it is again, and closes nothing meanwhile', async () => {
    let answer = (): Promise<ListedSession[]> => Promise.reject(new Error('no connection'));
    const job = jobOf('one', [{ name: 'astra-1', interval: 1_000, read: () => answer() }]);
    await registry.open(aSession({ openedAt: clock.now() - 20_000 }));
    for (let i = 0; i < 3; i += 1) {
      clock.advance(5_000);
      await round(job);
    }
    expect(job.statuses().get('astra-1')).toMatchObject({ trouble: 'no connection' });
    answer = () => Promise.resolve([{ id: '42' }]);
    clock.advance(5_000);
    await round(job);
    expect(said.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'warn the edge’s session list is of no use',
      'info the edge’s session list is read again',
    ]);
    expect(await registry.read(aSession())).toMatchObject({ presence: 'listed' });
  });

  it('does not ask an edge again that has not answered yet', async () => {
    let asked = 0;
    let respond = (_: ListedSession[]): void => undefined;
    const read = (): Promise<ListedSession[]> => {
      asked += 1;
      return new Promise((resolve) => (respond = resolve));
    };
    const job = jobOf('one', [{ name: 'astra-1', interval: 1_000, read }]);
    for (let i = 0; i < 5; i += 1) {
      clock.advance(4_000);
      await job.look();
    }
    expect(asked).toBe(1);
    respond([]);
    await job.settled();
  });
});

describe('many edges', () => {
  /** Edges that answer when the test wants it, or never. */
  function manyEdges(count: number, hangs: (i: number) => boolean = () => false) {
    const reads: string[] = [];
    const edges: ListedEdge[] = Array.from({ length: count }, (_, i) => ({
      name: `astra-${i}`,
      interval: 30_000,
      read: () => {
        reads.push(`astra-${i}`);
        return hangs(i) ? new Promise(() => undefined) : Promise.resolve([]);
      },
    }));
    return { reads, edges };
  }
  /** Reads and nothing more; `random` spreads the first lists. */
  async function jobOf(edges: readonly ListedEdge[], random = () => 0.5): Promise<ListJob> {
    const reconciler = {
      forget: () => undefined,
      reconcile: async () => ({ listed: 0, ours: 0, byId: 0, byFacts: 0, foreign: 0, closed: 0 }),
    } as never;
    const leases = leasesOf('one', EDGE_GROUPS);
    const job = new ListJob({ redis, clock, random, log: silentLog, reconciler, leases, edges });
    await leases.renew();
    return job;
  }
  /** All that follows at once has followed. */
  const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('are all read that are due, the next one as soon as one is done', async () => {
    const { reads, edges } = manyEdges(1_000);
    const job = await jobOf(edges);
    clock.advance(5_000);
    await job.look();
    await job.settled();
    expect(reads).toHaveLength(1_000);
    expect(new Set(reads).size).toBe(1_000);
  });

  it('wait in the order in which they are due', async () => {
    const { reads, edges } = manyEdges(200);
    // The last edge is due first.
    let later = 1;
    const job = await jobOf(edges, () => (later = Math.max(0, later - 0.005)));
    clock.advance(5_000);
    await job.look();
    await job.settled();
    expect(reads).toEqual(edges.map(({ name }) => name).reverse());
  });

  it('that hang keep nobody waiting who answers, and do not all hang at once', async () => {
    const { reads, edges } = manyEdges(1_200, (i) => i < 1_000);
    const job = await jobOf(edges);
    const good = (): number => reads.filter((name) => Number(name.slice(6)) >= 1_000).length;
    clock.advance(5_000);
    await job.look();
    await turns();
    // By the order of who is due they are behind.
    expect([reads.length, good()]).toEqual([64, 0]);
    let looks = 1;
    for (; good() < 200 && looks < 100; looks += 1) {
      clock.advance(1_000);
      await job.look();
      await turns();
    }
    // Each second the places are free again.
    expect([good(), looks]).toEqual([200, 16]);
    for (let i = 0; i < 40; i += 1) {
      clock.advance(1_000);
      await job.look();
      await turns();
    }
    expect([good(), reads.length - good()]).toEqual([400, 1_000]);
  });

  it('that did not answer have no more than their own places from then on', async () => {
    let settle: (() => void)[] = [];
    const { edges } = manyEdges(1);
    const asked: number[] = [];
    const all = Array.from({ length: 300 }, (_, i) => ({
      ...edges[0]!,
      name: `astra-${i}`,
      read: () => {
        asked.push(i);
        return new Promise<never>((_, reject) => settle.push(() => reject(new Error('no answer'))));
      },
    }));
    const job = await jobOf(all);
    const answerNobody = async (): Promise<void> => {
      await job.look();
      await turns();
      clock.advance(1_000);
      settle.splice(0).forEach((end) => end());
      await turns();
    };
    clock.advance(4_000);
    for (let i = 0; i < 6; i += 1) await answerNobody();
    expect(new Set(asked).size).toBe(300);
    asked.length = 0;
    settle = [];
    clock.advance(60_000);
    await job.look();
    await turns();
    expect(asked).toHaveLength(128);
  });
});

describe('the sweep', () => {
  it('closes what is over in all shards, each shard in one process only', async () => {
    const all = Array.from({ length: 30 }, (_, i) => aSession({ sessionId: String(i), user: `u${i}` }));
    for (const session of all) {
      await registry.open(session);
      await redis.call('ZADD', [
        `usher:alive:{${registry.shardOf(session)}}`,
        1,
        `astra-1:${session.sessionId}`,
      ]);
    }
    const [one, two] = ['one', 'two'].map(
      (owner) => new SweepJob({ redis, registry, clock, log: silentLog, leases: leasesOf(owner, 4, 2) }),
    );
    await one!.sweep();
    await two!.sweep();
    expect(one!.closed).toBeGreaterThan(0);
    expect(two!.closed).toBeGreaterThan(0);
    expect(one!.closed + two!.closed).toBe(30);
    expect(await server.cli('KEYS', 'usher:session:*')).toBe('');
    await one!.stop();
    expect((await server.cli('KEYS', 'usher:lease:*')).split('\n')).toHaveLength(2);
  });

  it('waits for signs of life when Redis was away: nobody could tell it who lives', async () => {
    const session = aSession({ presence: 'seen' });
    await registry.open(session);
    await redis.call('ZADD', [`usher:alive:{${registry.shardOf(session)}}`, 1, 'astra-1:42']);
    const hurried = connectRedis({ url: server.url, timeout: 200 });
    await hurried.ready();
    // Its own rounds are made by the test.
    const parts = { redis: hurried, registry, clock, log: silentLog, leases: leasesOf('one', 4) };
    const job = new SweepJob(parts, 3_600_000);
    job.start();
    server.pause();
    await eventually(async () => {
      await hurried.call('PING', []).catch(() => undefined);
      return hurried.away;
    });
    server.resume();
    await hurried.ready();
    for (const wait of [0, 29_000]) {
      clock.advance(wait);
      await job.sweep();
      expect(job.closed).toBe(0);
    }
    clock.advance(1_000);
    await job.sweep();
    expect(job.closed).toBe(1);
    await hurried.close();
    await job.stop();
  });
});
