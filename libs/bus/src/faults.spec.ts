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
    const outcome = client.request('work', 'slow');
    await eventually(() => finish !== undefined && client.stats().pending === 1);
    // "taken" must have been read: an untaken request ends when the connection does.
    const reply = eventually(async () => {
      const stream = await redis.cli('XRANGE', 'usher:{bus}:replies:asker', '-', '+');
      return stream.includes('"taken":[');
    });
    await reply;
    await new Promise((resolve) => setTimeout(resolve, 50));
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    finish!();
    await expect(outcome).resolves.toEqual({ kind: 'answered', data: 'made meanwhile' });
  });

  it('knows at once that Redis is dead, and answers again when an empty one is back', async () => {
    await redis.kill();
    await eventually(() => !client.connected);
    await expect(inTime(client.request('work', 1), 500)).resolves.toEqual({ kind: 'away' });
    await redis.restart({ empty: true });
    await eventually(() => answers());
    await eventually(() => server.consuming);
  });

  it('requests under way when Redis dies end before their deadline', async () => {
    handle = () => new Promise(() => undefined);
    const taken = client.request('work', 'taken', { replyWithinMs: 300 });
    await eventually(() => handled.includes('taken'));
    await eventually(() => redis.cli('XLEN', 'usher:{bus}:replies:asker').then((n) => Number(n) > 1));
    await redis.kill();
    expect(['silent', 'away']).toContain((await inTime(taken, 2500)).kind);
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
