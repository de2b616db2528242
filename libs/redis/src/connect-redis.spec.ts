import { createHash } from 'node:crypto';
import { eventually, freePort, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import type { RedisClient, RedisScript } from './client.js';
import { connectRedis } from './connect-redis.js';
import { RedisAwayError, RedisTimeoutError } from './errors.js';

const source = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
const sha = createHash('sha1').update(source).digest('hex');
const count: RedisScript = { name: 'count-1', source, sha, keys: 1 };

let redis: RedisProcess;
let client: RedisClient;

beforeEach(async () => {
  redis = await startRedis();
  client = connectRedis({ url: redis.url, timeout: 100 });
  expect(await client.ready()).toBe(true);
});

afterEach(async () => {
  await client.close();
  await redis.stop();
});

/** Keeps the loop busy, as a long computation would. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Calls until Redis is taken for away, and gives back what the calls were told. */
async function callUntilAway(): Promise<unknown[]> {
  const errors: unknown[] = [];
  while (!client.away) errors.push(await client.call('PING', []).catch((error: unknown) => error));
  return errors;
}

describe('commands', () => {
  it('gives replies as text and numbers, and the server’s errors as they are', async () => {
    expect(await client.call('SET', ['key', 'grüße'])).toBe('OK');
    expect(await client.call('GET', ['key'])).toBe('grüße');
    expect(await client.call('HSET', ['hash', 'a', 1, 'b', Buffer.from('2')])).toBe(2);
    expect(await client.call('HGETALL', ['hash'])).toEqual(['a', '1', 'b', '2']);
    await expect(client.call('LPUSH', ['key', 'x'])).rejects.toThrow('WRONGTYPE');
    expect(client.away).toBe(false);
  });

  it('keeps the order of what is sent in one tick', async () => {
    const replies = await Promise.all(
      Array.from({ length: 500 }, (_, i) => client.call('ECHO', [`reply ${i}`], 5_000)),
    );
    expect(replies).toEqual(Array.from({ length: 500 }, (_, i) => `reply ${i}`));
  });

  it('runs scripts by their hash, and loads them where they are missing', async () => {
    expect(await client.run(count, ['counter'], [2])).toBe(2);
    expect(await client.call('SCRIPT', ['EXISTS', count.sha])).toEqual([1]);
    await redis.cli('SCRIPT', 'FLUSH');
    expect(await client.run(count, ['counter'], [3])).toBe(5);
    await expect(client.run(count, ['a', 'b'], [])).rejects.toThrow('count-1 takes 1 keys, not 2');
  });
});

describe('when Redis stops answering', () => {
  it('fails each command at its deadline, and after three in a row all at once', async () => {
    redis.pause();
    const errors = await callUntilAway();
    expect(errors).toHaveLength(3);
    for (const error of errors) expect(error).toBeInstanceOf(RedisTimeoutError);
    expect(client.trouble).toContain('3 commands in a row');
    await expect(client.call('PING', [])).rejects.toBeInstanceOf(RedisAwayError);
  });

  it('finds it again when it goes on', async () => {
    const told: boolean[] = [];
    client.onAway((away) => told.push(away));
    redis.pause();
    await callUntilAway();
    redis.resume();
    expect(await client.ready()).toBe(true);
    expect(await client.call('PING', [])).toBe('PONG');
    expect(told).toEqual([true, false]);
    expect(client.trouble).toBe('');
  });

  it('counts commands that are late together once', async () => {
    redis.pause();
    const together = Array.from({ length: 50 }, () =>
      client.call('PING', []).catch((error: unknown) => error),
    );
    for (const error of await Promise.all(together)) expect(error).toBeInstanceOf(RedisTimeoutError);
    expect(client.away).toBe(false);
    redis.resume();
    expect(await client.call('PING', [], 5_000)).toBe('PONG');
  });

  it('drops what is still queued with the socket', async () => {
    const value = 'x'.repeat(4_096);
    const sent = 20_000;
    redis.pause();
    const calls = Array.from({ length: sent }, (_, i) => client.call('SET', [`key:${i}`, value]));
    const outcomes = Promise.allSettled(calls);
    await callUntilAway();
    expect((await outcomes).every(({ status }) => status === 'rejected')).toBe(true);
    redis.resume();
    await client.ready();
    await eventually(async () => {
      const clients = await redis.cli('CLIENT', 'LIST', 'TYPE', 'normal');
      return clients.split('\n').filter((line) => line.includes('name=usher')).length === 1;
    });
    expect(Number(await client.call('DBSIZE', []))).toBeLessThan(sent);
  });

  it('gives a command that is answered too late to nobody else', async () => {
    await client.call('SET', ['key', 'value']);
    redis.pause();
    await expect(client.call('INCR', ['counter'])).rejects.toBeInstanceOf(RedisTimeoutError);
    const next = client.call('GET', ['key'], 5_000);
    redis.resume();
    expect(await next).toBe('value');
    expect(await client.call('GET', ['counter'])).toBe('1');
    expect(client.away).toBe(false);
  });
});

describe('when the loop was busy', () => {
  it('does not take a healthy Redis for away', async () => {
    for (let round = 0; round < 5; round += 1) {
      const before = [client.call('ECHO', ['a']), client.call('ECHO', ['b'])];
      block(250);
      const after = [client.call('ECHO', ['c']), client.call('ECHO', ['d'])];
      expect(await Promise.all([...before, ...after])).toEqual(['a', 'b', 'c', 'd']);
    }
    expect(client.away).toBe(false);
  });

  it('counts a reply that came while nobody could read it', async () => {
    for (let round = 0; round < 5; round += 1) {
      const sent = performance.now();
      const reply = client.call('ECHO', ['a']);
      await new Promise((resolve) => {
        process.nextTick(() => setTimeout(resolve, 0));
        // From before the reply could be read until just past the deadline: too short to be taken for a busy loop.
        process.nextTick(() => block(sent + 102 - performance.now()));
      });
      expect(await reply).toBe('a');
    }
  });

  it('gives a command its whole deadline', async () => {
    redis.pause();
    block(250);
    const sent = performance.now();
    await expect(client.call('PING', [])).rejects.toBeInstanceOf(RedisTimeoutError);
    expect(performance.now() - sent).toBeGreaterThan(98);
    redis.resume();
  });
});

describe('when Redis dies', () => {
  it('is away at once, and back after a restart', async () => {
    const away = new Promise((resolve) => client.onAway(resolve));
    const owed = client.call('BLPOP', ['nothing', 0], 60_000);
    await Promise.all([expect(owed).rejects.toBeInstanceOf(RedisAwayError), redis.kill()]);
    expect(await away).toBe(true);
    await expect(client.call('PING', [])).rejects.toMatchObject({ code: 'REDIS_AWAY' });
    await redis.restart();
    expect(await client.ready()).toBe(true);
    expect(await client.run(count, ['counter'], [1])).toBe(1);
  });

  it('outlives a killed connection', async () => {
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal');
    await eventually(async () => (await client.call('PING', [])) === 'PONG');
  });

  it('leaves a server that became a replica', async () => {
    const master = await startRedis();
    const away = new Promise((resolve) => client.onAway(resolve));
    await redis.cli('REPLICAOF', '127.0.0.1', String(master.port));
    await expect(client.call('SET', ['key', 'value'])).rejects.toThrow('READONLY');
    expect(await away).toBe(true);
    await redis.cli('REPLICAOF', 'NO', 'ONE');
    await eventually(async () => (await client.call('SET', ['key', 'value'])) === 'OK');
    await master.stop();
  });
});

describe('at the start', () => {
  it('is away until Redis is there', async () => {
    const port = await freePort();
    const early = connectRedis({ url: `redis://127.0.0.1:${port}` });
    expect(early.away).toBe(true);
    expect(await early.ready(50)).toBe(false);
    await expect(early.call('PING', [])).rejects.toBeInstanceOf(RedisAwayError);
    const late = await startRedis({ port });
    expect(await early.ready()).toBe(true);
    await early.close();
    await late.stop();
  });

  it('says why Redis refuses us', async () => {
    const closed = await startRedis({ password: 'a secret' });
    const wrong = connectRedis({ url: closed.url.replace('secret', 'guess') });
    await eventually(() => expect(wrong.trouble).toContain('WRONGPASS'));
    await wrong.close();
    const right = connectRedis({ url: closed.url });
    expect(await right.ready()).toBe(true);
    await right.close();
    await closed.stop();
  });
});

describe('close', () => {
  it('waits for the replies that are owed, and leaves no connection', async () => {
    const owed = client.call('INCR', ['counter']);
    await client.close();
    expect(await owed).toBe(1);
    await expect(client.call('PING', [])).rejects.toBeInstanceOf(RedisAwayError);
    await eventually(async () => !(await redis.cli('CLIENT', 'LIST')).includes('name=usher'));
  });
});
