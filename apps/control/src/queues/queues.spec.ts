import { silentLog } from '#usher/domain';
import { ManualClock, eventually, startRedis, startRedisCluster } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import type { RedisSettings } from '#usher/redis';
import { doubled } from './backoff.js';
import type { WorkedJob } from './job-queue.js';
import { Queues } from './queues.js';

const running: Queues[] = [];
let server: RedisProcess;

beforeAll(async () => {
  server = await startRedis({ persist: true });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((queues) => queues.close()));
});
afterAll(() => server.stop());

function someQueues(redis: RedisSettings = { url: server.url }, lock = 15_000): Queues {
  const queues = new Queues({
    redis,
    id: 'test',
    clock: new ManualClock(),
    random: Math.random,
    log: silentLog,
    lock,
  });
  running.push(queues);
  return queues;
}

interface Numbered {
  readonly number: number;
}

describe('Queues', () => {
  it('does each job once, whichever process works on it', async () => {
    const done: number[] = [];
    const work = ({ data }: WorkedJob<Numbered>): Promise<void> => {
      done.push(data.number);
      return Promise.resolve();
    };
    const [queue] = [someQueues(), someQueues()].map((queues) =>
      queues.open<Numbered>({ name: 'once', work, concurrency: 4 }),
    );
    const numbers = Array.from({ length: 200 }, (_, number) => number);
    await queue!.addAll(numbers.map((number) => ({ data: { number } })));
    await eventually(() => done.length >= 200);
    await eventually(async () => (await queue!.counts()).active === 0);
    expect(done.sort((a, b) => a - b)).toEqual(numbers);
    expect(await queue!.counts()).toEqual({ waiting: 0, delayed: 0, active: 0, failed: 0 });
  });

  it('tries again what fails, waits as told in between, and keeps what has failed for good', async () => {
    const tries: [failures: number, data: Numbered][] = [];
    const waits: [attempt: number, message: string][] = [];
    const ends: (string | undefined)[] = [];
    const queue = someQueues().open<Numbered>({
      name: 'again',
      attempts: 3,
      work: ({ failures, data }) => {
        tries.push([failures, data]);
        return Promise.reject(new Error('no'));
      },
      backoff: (attempt, { message }) => {
        waits.push([attempt, message]);
        return 1;
      },
      onEnd: (_, failure) => ends.push(failure?.message),
    });
    await queue.add({ number: 7 });
    await eventually(() => ends.length > 0);
    expect(tries).toEqual([0, 1, 2].map((failures) => [failures, { number: 7 }]));
    expect(waits).toEqual([
      [1, 'no'],
      [2, 'no'],
    ]);
    expect(ends).toEqual(['no']);
    expect((await queue.counts()).failed).toBe(1);
  });

  it('keeps no more failed jobs than it is told to, and none that are done', async () => {
    let ended = 0;
    const queue = someQueues().open<Numbered>({
      name: 'bounded',
      attempts: 1,
      failed: { age: 60_000, count: 3 },
      // Whatever is thrown: a job that fails, no process that dies.
      work: ({ data }) => (data.number < 10 ? Promise.reject('a string') : Promise.resolve()),
      onEnd: () => (ended += 1),
    });
    for (let number = 0; number < 20; number += 1) await queue.add({ number });
    await eventually(() => ended === 20);
    expect(await queue.counts()).toEqual({ waiting: 0, delayed: 0, active: 0, failed: 3 });
    const keys = (await server.cli('KEYS', '{usher}:bounded:*')).split('\n');
    const jobs = keys.filter((key) => /^\{usher\}:bounded:\d+/.test(key));
    expect(jobs).toHaveLength(3);
    expect(Number(await server.cli('XLEN', '{usher}:bounded:events'))).toBeLessThan(300);
  });

  it('adds no second job under an id while the first one waits or is worked on', async () => {
    let begun = 0;
    let finish = (): void => undefined;
    const held = new Promise<void>((resolve) => (finish = resolve));
    const queue = someQueues().open<Numbered>({
      name: 'named',
      work: () => {
        begun += 1;
        return held;
      },
    });
    await queue.add({ number: 1 }, { id: 'one' });
    await queue.add({ number: 2 }, { id: 'one' });
    await eventually(() => begun === 1);
    await queue.add({ number: 3 }, { id: 'one' });
    expect(await queue.counts()).toMatchObject({ waiting: 0, active: 1 });
    finish();
    await eventually(async () => (await queue.counts()).active === 0);
    await queue.add({ number: 4 }, { id: 'one' });
    await eventually(() => begun === 2);
  });

  it('has another process do the job of one that died', async () => {
    const begun: string[] = [];
    const dying = someQueues({ url: server.url }, 1_000);
    const queue = dying.open<Numbered>({
      name: 'died',
      work: () => {
        begun.push('dying');
        return new Promise(() => undefined);
      },
    });
    await queue.add({ number: 1 });
    await eventually(() => begun.length === 1);
    // As good as dead: without its connections it ends at once, and its job stays begun.
    await server.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const closing = dying.close();
    someQueues({ url: server.url }, 1_000).open<Numbered>({
      name: 'died',
      work: () => {
        begun.push('living');
        return Promise.resolve();
      },
    });
    await eventually(() => begun.includes('living'), { withinMs: 20_000 });
    await closing;
  });

  it('gives an interrupted job back when the process ends, uncounted', async () => {
    const first = someQueues();
    let begun = false;
    const queue = first.open<Numbered>({
      name: 'ended',
      attempts: 1,
      work: (_, signal) => {
        begun = true;
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(new Error('ended'))),
        );
      },
    });
    await queue.add({ number: 1 });
    await eventually(() => begun);
    await first.close();
    const failures: number[] = [];
    someQueues().open<Numbered>({
      name: 'ended',
      attempts: 1,
      work: (job) => {
        failures.push(job.failures);
        return Promise.resolve();
      },
    });
    await eventually(() => failures.length === 1);
    expect(failures).toEqual([0]);
  });

  it('repeats a job, in a Redis that came back empty too', async () => {
    const own = await startRedis();
    let done = 0;
    const queues = someQueues({ url: own.url });
    const queue = queues.open<Numbered>({
      name: 'ticks',
      work: () => {
        done += 1;
        return Promise.resolve();
      },
    });
    await queue.repeat('tick', 100, { number: 1 });
    await eventually(() => done >= 3);
    await own.restart();
    const before = done;
    await eventually(() => done >= before + 3, { withinMs: 20_000 });
    await queue.stopRepeating('tick');
    await queues.close();
    await own.stop();
  });

  it('starts without Redis, says so to who adds, and works as soon as it is there', async () => {
    const own = await startRedis({ persist: true });
    const done: number[] = [];
    await own.kill();
    const queues = someQueues({ url: own.url });
    const queue = queues.open<Numbered>({
      name: 'away',
      work: ({ data }) => {
        done.push(data.number);
        return Promise.resolve();
      },
    });
    await expect(queue.add({ number: 1 })).rejects.toThrow('did not answer');
    await own.restart();
    await eventually(async () => {
      await queue.add({ number: 2 }, { id: 'two' });
    });
    await eventually(() => done.includes(2), { withinMs: 20_000 });
    await own.kill();
    await expect(queue.add({ number: 3 })).rejects.toThrow(/Connection|writeable|Redis/);
    await own.restart();
    await eventually(async () => {
      await queue.add({ number: 4 }, { id: 'four' });
    });
    await eventually(() => done.includes(4), { withinMs: 20_000 });
    own.pause();
    await expect(queue.add({ number: 5 })).rejects.toThrow('did not answer');
    own.resume();
    await own.kill();
    await queues.close();
    await own.stop();
  });

  it('ends at once where Redis never came', async () => {
    const own = await startRedis();
    await own.kill();
    const queues = someQueues({ url: own.url });
    queues.open<Numbered>({ name: 'never', work: () => Promise.resolve() });
    await queues.close();
    await own.stop();
  });

  it('works on a Redis Cluster', async () => {
    const cluster = await startRedisCluster();
    const done: number[] = [];
    const queues = someQueues({ url: cluster.url, cluster: true });
    const queue = queues.open<Numbered>({
      name: 'cluster',
      work: ({ data }) => {
        done.push(data.number);
        return Promise.resolve();
      },
    });
    await eventually(() => queue.add({ number: 1 }, { id: 'one' }).then(() => true));
    await eventually(() => done.includes(1), { withinMs: 20_000 });
    await queues.close();
    await cluster.stop();
  });

  it('removes a queue that nobody had open for long', async () => {
    await server.cli('ZADD', '{usher}:queues', '1', 'old');
    await server.cli('HSET', '{usher}:old:meta', 'version', 'x');
    someQueues().open<Numbered>({ name: 'new', work: () => Promise.resolve() });
    await eventually(async () => (await server.cli('ZSCORE', '{usher}:queues', 'old')) === '');
    expect(await server.cli('KEYS', '{usher}:old:*')).toBe('');
    expect(await server.cli('ZSCORE', '{usher}:queues', 'new')).not.toBe('');
  });

  it('refuses definitions that cannot be', () => {
    const queues = someQueues();
    const work = (): Promise<void> => Promise.resolve();
    expect(() => queues.open({ name: 'a:b', work })).toThrow('queue a:b');
    expect(() => queues.open({ name: 'none', work, attempts: 0 })).toThrow('at least one');
    queues.open({ name: 'twice', work });
    expect(() => queues.open({ name: 'twice', work })).toThrow('open already');
  });
});

it('waits double as long each time, up to a bound', () => {
  expect([1, 2, 3, 10, 1_000].map((attempt) => doubled(attempt, 1_000, 60_000))).toEqual([
    1_000, 2_000, 4_000, 60_000, 60_000,
  ]);
});
