import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { lastValueFrom } from 'rxjs';
import { eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { BUS_REDIS_OPTIONS, StreamClient, StreamServer } from './index.js';
import type { Gap, StreamClientOptions } from './index.js';

// What it logs is expected here.
Logger.overrideLogger(false);

describe('events', () => {
  let redis: RedisProcess;
  const closers: (() => Promise<void>)[] = [];

  const connect = (): Redis => new Redis(redis.url, { ...BUS_REDIS_OPTIONS });

  interface Ear {
    readonly client: StreamClient;
    readonly heard: unknown[];
    readonly gaps: Gap[];
  }

  async function ear(options: Partial<StreamClientOptions> = {}): Promise<Ear> {
    const client = new StreamClient({ connect, ...options });
    closers.push(() => client.close());
    const heard: unknown[] = [];
    const gaps: Gap[] = [];
    client.events.on('news', (data) => heard.push(data));
    client.events.onGap((gap) => gaps.push(gap));
    expect(await client.events.tailing(5000)).toBe(true);
    return { client, heard, gaps };
  }

  const emit = (client: StreamClient, data: unknown): Promise<unknown> =>
    lastValueFrom(client.emit('news', data), { defaultValue: undefined });

  const emitSoon = (client: StreamClient, data: unknown): Promise<true> =>
    eventually(() => emit(client, data).then(() => true as const));

  beforeEach(async () => {
    redis = await startRedis();
  });

  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
    await redis.stop();
  });

  it('each reaches every process, the emitter and servers too, in order', async () => {
    const ears = [await ear(), await ear(), await ear()];
    const served: unknown[] = [];
    const server = new StreamServer({ connect });
    closers.push(() => server.close());
    server.addHandler('news', async (data: unknown) => served.push(data), true);
    await server.listen(() => undefined);
    await server.events.tailing(5000);
    for (let n = 0; n < 20; n += 1) await emit(ears[n % 3]!.client, n);
    const all = Array.from({ length: 20 }, (_, n) => n);
    for (const { heard } of ears) await eventually(() => expect(heard).toEqual(all));
    await eventually(() => expect(served).toEqual(all));
  });

  it('of the time before are not heard: it is told when the hearing begins, at once where it has begun', async () => {
    const { client: other } = await ear();
    redis.pause();
    const client = new StreamClient({ connect });
    closers.push(() => client.close());
    const said: string[] = [];
    client.events.on('news', (data) => said.push(String(data)));
    client.events.onTailing(() => said.push('begins'));
    client.events.start();
    expect(said).toEqual([]);
    redis.resume();
    await eventually(() => expect(said).toEqual(['begins']));
    client.events.onTailing(() => said.push('has begun'));
    await emitSoon(other, 'heard');
    await eventually(() => expect(said).toEqual(['begins', 'has begun', 'heard']));
  });

  it('carries who emitted it, metadata, and bytes as they are', async () => {
    const { client } = await ear({ id: 'teller' });
    const events: unknown[] = [];
    client.events.on('news', (data, event) => events.push([data, event]));
    client.setOnDispatchHook((packet) => (packet.metadata = { trace: 't' }));
    await emit(client, Buffer.from([1, 255]));
    await eventually(() => events.length === 1);
    expect(events).toEqual([
      [Buffer.from([1, 255]), { pattern: 'news', from: 'teller', meta: { trace: 't' } }],
    ]);
  });

  it('one emitted while the listener is cut off is heard, and none twice', async () => {
    const listener = await ear();
    const teller = await ear();
    const all: number[] = [];
    for (let n = 0; n < 10; n += 1) {
      if (n % 3 === 1) await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await emitSoon(teller.client, n);
      all.push(n);
    }
    await eventually(() => expect(listener.heard).toEqual(all));
    expect(listener.gaps).toEqual([]);
  });

  it('a Redis that comes back empty is noticed, and events go on', async () => {
    const { client, heard, gaps } = await ear();
    await emit(client, 'before');
    await eventually(() => heard.length === 1);
    await redis.restart({ empty: true });
    await eventually(() => gaps.length > 0);
    expect(gaps).toEqual(['recreated']);
    await emitSoon(client, 'after');
    await eventually(() => heard.length === 2);
    expect(heard).toEqual(['before', 'after']);
    expect(client.stats().gaps).toBe(1);
  });

  it('a stream made anew is noticed though its ids have passed ours already', async () => {
    const { client, heard, gaps } = await ear();
    await emit(client, 'before');
    await eventually(() => heard.length === 1);
    const event = JSON.stringify({ v: 1, event: 'news', from: 'x', data: 'first of the new one' });
    const anew = 'redis.call("DEL", KEYS[1], KEYS[2]) redis.call("XADD", KEYS[1], "*", "m", ARGV[1])';
    await redis.cli('EVAL', anew, '2', 'usher:control', '{usher:control}:epoch', event);
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await eventually(() => gaps.length > 0);
    expect(gaps).toEqual(['recreated']);
    await eventually(() => heard.length === 2);
    expect(heard).toEqual(['before', 'first of the new one']);
  });

  it('a Redis that comes back with its data is no gap', async () => {
    await redis.stop();
    redis = await startRedis({ persist: true });
    const { client, heard, gaps } = await ear();
    await emit(client, 'before');
    await eventually(() => heard.length === 1);
    await redis.restart();
    await emitSoon(client, 'after');
    await eventually(() => heard.length === 2);
    expect(gaps).toEqual([]);
  });

  it('one that fell behind what is kept is told so', async () => {
    const { client, heard, gaps } = await ear({ maxEvents: 10 });
    await emit(client, 'seen');
    await eventually(() => heard.length === 1);
    // No chance to read in between: the trimmed ones are gone when the listener comes to look.
    const burst = '"m","{\\"v\\":1,\\"event\\":\\"news\\",\\"from\\":\\"x\\",\\"data\\":1}"';
    const script = `for i = 1, 1000 do redis.call("XADD", KEYS[1], "MAXLEN", "10", "*", ${burst.replaceAll('\\"', '\\"')}) end`;
    await redis.cli('EVAL', script, '1', 'usher:control');
    await eventually(() => gaps.includes('behind'));
    await emit(client, 'after');
    await eventually(() => heard.includes('after'));
    expect(heard.length).toBeLessThan(20);
  });

  it('a listener that throws harms no other', async () => {
    const { client, heard } = await ear();
    client.events.on('news', () => {
      throw new Error('mine');
    });
    client.events.on('news', async () => {
      throw new Error('mine, later');
    });
    const later: unknown[] = [];
    client.events.on('news', (data) => later.push(data));
    await emit(client, 1);
    await emit(client, 2);
    await eventually(() => later.length === 2);
    expect(heard).toEqual([1, 2]);
  });

  it('what was emitted before one listened is not heard; a listener can stop', async () => {
    const teller = await ear();
    await emit(teller.client, 'early');
    const { client, heard } = await ear();
    const stopped: unknown[] = [];
    const stop = client.events.on('news', (data) => stopped.push(data));
    await emit(client, 1);
    await eventually(() => heard.length === 1);
    stop();
    await emit(client, 2);
    await eventually(() => heard.length === 2);
    expect(heard).toEqual([1, 2]);
    expect(stopped).toEqual([1]);
  });

  it('emit() fails where Redis is away', async () => {
    const { client } = await ear({ connectTimeoutMs: 50 });
    await redis.kill();
    await expect(emit(client, 1)).rejects.toMatchObject({ name: 'BusError' });
  });
});
