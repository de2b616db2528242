import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { BUS_REDIS_OPTIONS, StreamClient, StreamServer } from './index.js';
import type { Outcome } from './index.js';

// What it logs is expected here.
Logger.overrideLogger(false);

describe('the bus while parts break', () => {
  let redis: RedisProcess;
  let server: StreamServer;
  let client: StreamClient;
  const handled: unknown[] = [];
  let handle: (data: unknown) => Promise<unknown>;

  const connect = (): Redis => new Redis(redis.url, { ...BUS_REDIS_OPTIONS });

  beforeEach(async () => {
    redis = await startRedis();
    handled.length = 0;
    handle = async (data) => data;
    server = new StreamServer({ connect, id: 'worker', drainTimeoutMs: 500 });
    server.addHandler('work', async (data: unknown) => {
      handled.push(data);
      return handle(data);
    });
    client = new StreamClient({ connect, id: 'asker', timeoutMs: 3000 });
    await server.listen(() => undefined);
    await client.connect();
    await eventually(() => answers());
  });

  afterEach(async () => {
    await Promise.all([server.close(), client.close()]);
    await redis.stop();
  });

  async function answers(): Promise<boolean> {
    const outcome = await client.request('work', 'ping', { takeWithinMs: 200, replyWithinMs: 200 });
    return outcome.kind === 'answered';
  }

  /** Every way to end but hanging: each outcome comes within the deadline, generously. */
  async function inTime(outcome: Promise<Outcome>, withinMs: number): Promise<Outcome> {
    const start = performance.now();
    const result = await outcome;
    expect(performance.now() - start).toBeLessThan(withinMs);
    return result;
  }

  it('answers again after every connection was killed', async () => {
    for (let round = 0; round < 3; round += 1) {
      await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await eventually(() => answers());
    }
  });

  it('a reply that is made while the connections are being killed arrives', async () => {
    let finish: (() => void) | undefined;
    handle = () => new Promise((resolve) => (finish = () => resolve('made meanwhile')));
    const outcomes: Outcome[] = [];
    const request = client.ask('work', 'slow', {}, (outcome) => outcomes.push(outcome));
    // An untaken request ends when the connection does.
    await eventually(() => request.taken);
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    finish!();
    await eventually(() => outcomes.length === 1);
    expect(outcomes).toEqual([{ kind: 'answered', data: 'made meanwhile' }]);
  });

  it('knows at once that Redis is dead, and answers again when an empty one is back', async () => {
    await redis.kill();
    await eventually(() => !client.connected);
    await expect(inTime(client.request('work', 1), 500)).resolves.toEqual({ kind: 'away' });
    await redis.restart({ empty: true });
    await eventually(() => answers());
    await eventually(() => server.consuming);
  });

  it('a taken request ends in its time when Redis dies meanwhile', async () => {
    handle = () => new Promise(() => undefined);
    const outcomes: Outcome[] = [];
    const request = client.ask('work', 'taken', { replyWithinMs: 300 }, (outcome) => outcomes.push(outcome));
    await eventually(() => request.taken);
    await redis.kill();
    await eventually(() => outcomes.length === 1, { withinMs: 2500 });
    expect(outcomes).toEqual([{ kind: 'silent' }]);
  });

  it('requests that nobody has taken when Redis dies end at once', async () => {
    server.pause('main');
    const untaken = client.request('work', 'untaken', { deadlineAt: Date.now() + 20_000 });
    await eventually(async () => (await redis.cli('XLEN', 'usher:{bus}:work:main')) === '1');
    await redis.kill();
    await expect(inTime(untaken, 5000)).resolves.toEqual({ kind: 'away' });
  });

  it('a reply that Redis took along into its grave is written again', async () => {
    let finish: (() => void) | undefined;
    handle = () => new Promise((resolve) => (finish = () => resolve('still known')));
    const outcomes: Outcome[] = [];
    const request = client.ask('work', 1, { deadlineAt: Date.now() + 20_000 }, (outcome) => {
      outcomes.push(outcome);
    });
    await eventually(() => request.taken);
    redis.pause();
    finish!();
    // Written into the socket, where it stays.
    await new Promise((resolve) => setTimeout(resolve, 50));
    await redis.kill();
    await redis.restart({ empty: true });
    await eventually(() => outcomes.length === 1);
    expect(outcomes).toEqual([{ kind: 'answered', data: 'still known' }]);
  });

  it('a FLUSHALL costs no more than a moment', async () => {
    await redis.cli('FLUSHALL');
    await eventually(() => answers());
  });

  it('while Redis is stopped each request ends in time; what it missed is not handled later', async () => {
    redis.pause();
    handled.length = 0;
    for (let n = 0; n < 8; n += 1) {
      const outcome = await inTime(client.request('work', `missed-${n}`, { takeWithinMs: 150 }), 1000);
      expect(['not-taken', 'away']).toContain(outcome.kind);
    }
    await eventually(() => !client.connected);
    // What lies in the socket of a stopped Redis is still executed; what must be taken within 150 ms is not taken then.
    await new Promise((resolve) => setTimeout(resolve, 200));
    redis.resume();
    await eventually(() => answers());
    expect(handled.filter((data) => data !== 'ping')).toEqual([]);
  });

  it('one server of two is stopped with its process: its requests end silent or not-taken, the other serves', async () => {
    handle = () => new Promise(() => undefined);
    await expect(inTime(client.request('work', 'lost', { replyWithinMs: 100 }), 2000)).resolves.toEqual({
      kind: 'silent',
    });
    const other = new StreamServer({ connect, id: 'worker-2' });
    other.addHandler('work', async () => 'other');
    await other.listen(() => undefined);
    server.pause('main');
    await eventually(async () => {
      const outcome = await client.request('work', 'x', { takeWithinMs: 200, replyWithinMs: 200 });
      return outcome.kind === 'answered' && outcome.data === 'other';
    });
    await other.close();
  });

  it('starts without Redis, and serves when it comes', async () => {
    await redis.kill();
    const late = new StreamServer({ connect, id: 'late', connectTimeoutMs: 50 });
    late.addHandler('late', async () => 'here');
    const asker = new StreamClient({ connect, connectTimeoutMs: 50 });
    await late.listen((error) => expect(error).toBeUndefined());
    await expect(asker.connect()).rejects.toMatchObject({ code: 'away' });
    await expect(asker.request('late', 1)).resolves.toEqual({ kind: 'away' });
    expect(late.consuming).toBe(false);
    await redis.restart();
    await eventually(async () => (await asker.request('late', 1)).kind === 'answered');
    await Promise.all([late.close(), asker.close()]);
  });

  it('leaves no key behind without a time to live', async () => {
    const keys = (await redis.cli('KEYS', '*')).split('\n').filter((key) => key !== '');
    expect(keys.length).toBeGreaterThan(3);
    const forever = async (): Promise<string[]> => {
      const ttls = await Promise.all(keys.map(async (key) => [key, await redis.cli('TTL', key)] as const));
      return ttls.filter(([, ttl]) => ttl === '-1').map(([key]) => key);
    };
    await eventually(async () => (await forever()).length === 0);
  });
});
