import { connectRedis, eventsKey, shardOf } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { EventWriter } from './event-writer.js';

let server: RedisProcess;
let redis: RedisClient;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

describe('an event that no script writes', () => {
  it('lies in the shard of what it is about, as text for people, without what is missing', async () => {
    const clock = new ManualClock();
    const events = new EventWriter(redis, clock, { shards: 16 });
    const facts = {
      channel: 'n\xc3\xa9ws\r\n',
      status: 403,
      user: undefined,
      ua: '',
      path: 'p'.repeat(5_000),
    };
    await events.tell('check.denied', 'astra-1/42', facts);
    const entries = await redis.call('XRANGE', [eventsKey(shardOf('astra-1/42', 16)), '-', '+']);
    const [[, fields]] = entries as [[string, string[]]];
    const told = `type check.denied at ${Math.round(clock.now())} channel néws\\x0d\\x0a status 403`;
    expect(fields.slice(0, 8).join(' ')).toBe(told);
    expect(fields).toHaveLength(10);
    expect(fields[9]).toHaveLength(1_024);
  });

  it('pushes the oldest out of a stream that is full', async () => {
    const events = new EventWriter(redis, new ManualClock(), { shards: 1, kept: 100 });
    await Promise.all(Array.from({ length: 500 }, (_, i) => events.tell('check.denied', 'any', { i })));
    expect(Number(await redis.call('XLEN', [eventsKey('00')]))).toBeLessThan(300);
  });
});
