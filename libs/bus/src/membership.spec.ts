import { Redis } from 'ioredis';
import { eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { BUS_REDIS_OPTIONS, Membership } from './index.js';
import type { MembershipOptions } from './index.js';

describe('membership', () => {
  let redis: RedisProcess;
  const closers: (() => Promise<void>)[] = [];

  async function member(id: string, options: Partial<MembershipOptions> = {}): Promise<Membership> {
    const connect = (): Redis => new Redis(redis.url, { ...BUS_REDIS_OPTIONS });
    const made = new Membership({
      connect,
      id,
      role: 'worker',
      host: 'h1',
      version: '1.0.0',
      beatMs: 100,
      validMs: 400,
      ...options,
    });
    closers.push(() => made.leave());
    await made.start();
    return made;
  }

  const ids = (member: Membership): string[] => member.nodes().map((node) => node.id);

  beforeEach(async () => {
    redis = await startRedis();
  });

  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
    await redis.stop();
  });

  it('all see who lives, and what each tells about itself', async () => {
    const a = await member('a', { role: 'gateway' });
    const b = await member('b');
    b.setInfo({ colour: 'red' });
    b.provide('load', () => 0.5);
    await eventually(() => expect(a.nodes()[1]?.info).toEqual({ colour: 'red', load: 0.5 }));
    expect(ids(b)).toEqual(['a', 'b']);
    expect(a.self).toBe('a');
    expect(a.nodes()[0]).toMatchObject({ id: 'a', role: 'gateway', host: 'h1', version: '1.0.0' });
    expect(Math.abs(a.nodes()[0]!.at - Date.now())).toBeLessThan(10_000);
    expect(a.alone).toBe(false);
  });

  it('one that leaves is gone at the next beat, and the change is told once', async () => {
    const a = await member('a');
    const b = await member('b');
    await eventually(() => ids(a).length === 2);
    const tables: string[][] = [];
    a.onChange((nodes) => tables.push(nodes.map((node) => node.id)));
    await b.leave();
    await eventually(() => ids(a).length === 1);
    const beats = a.nodes()[0]!.at;
    await eventually(() => a.nodes()[0]!.at > beats);
    expect(tables).toEqual([['a']]);
  });

  it('one that falls silent expires, and the hash with the last', async () => {
    const a = await member('a');
    await redis.cli('HSET', 'usher:{bus}:nodes', 'dead', `{"at":${Date.now() - 60_000},"role":"worker"}`);
    await redis.cli('HSET', 'usher:{bus}:nodes', 'rubbish', 'x');
    await eventually(async () => (await redis.cli('HKEYS', 'usher:{bus}:nodes')) === 'a');
    expect(ids(a)).toEqual(['a']);
    expect(Number(await redis.cli('PTTL', 'usher:{bus}:nodes'))).toBeGreaterThan(0);
  });

  it('while Redis is away the last table stands, marked alone', async () => {
    const a = await member('a');
    await member('b');
    await eventually(() => ids(a).length === 2);
    await redis.kill();
    await eventually(() => a.alone);
    expect(ids(a)).toEqual(['a', 'b']);
    await redis.restart();
    await eventually(() => !a.alone && ids(a).length === 2);
  });

  it('a stopped Redis is noticed too', async () => {
    const a = await member('a', { commandTimeoutMs: 50 });
    redis.pause();
    await eventually(() => a.alone);
    redis.resume();
    await eventually(() => !a.alone);
  });

  it('knows whether a lane has workers, and whether all are full', async () => {
    const a = await member('a');
    const b = await member('b');
    const watcher = await member('c', { role: 'gateway' });
    let free = 1;
    a.provide('lanes', () => ({ 'check:portal': 0 }));
    b.provide('lanes', () => ({ 'check:portal': free, 'check:other': 0 }));
    await eventually(() => watcher.hasWorker('check', 'other'));
    await eventually(() => watcher.nodes().filter((node) => node.info['lanes'] !== undefined).length === 2);
    expect(watcher.isFull('check', 'portal')).toBe(false);
    expect(watcher.isFull('check', 'other')).toBe(true);
    expect(watcher.isFull('check', 'nobody')).toBe(false);
    expect(watcher.hasWorker('check', 'nobody')).toBe(false);
    free = 0;
    b.touch();
    await eventually(() => watcher.isFull('check', 'portal'));
  });
});
