import { silentLog } from '#usher/domain';
import type { Log, Session } from '#usher/domain';
import { ClusterClock, connectRedis, eventsKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { Leases } from '../jobs/leases.js';
import { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { EventJob } from './event-job.js';
import type { TakeEvents } from './event-job.js';
import { EventReader } from './event-reader.js';
import { EventWriter } from './event-writer.js';
import type { LifecycleEvent } from './lifecycle-event.js';

const SHARDS = 2;
let server: RedisProcess;
let redis: RedisClient;
let clock: ClusterClock;
let registry: RedisSessionRegistry;
const jobs: EventJob[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  clock = new ClusterClock(redis);
  await clock.start();
  registry = new RedisSessionRegistry(redis, clock, { shards: SHARDS });
});
beforeEach(() => redis.call('FLUSHALL', []));
afterEach(async () => {
  for (const job of jobs.splice(0)) await job.stop();
});
afterAll(async () => {
  clock.stop();
  await redis.close();
  await server.stop();
});

interface JobOptions {
  readonly owner?: string;
  readonly life?: number;
  readonly log?: Log;
  readonly count?: number;
}

/** Not started: told to look by hand. */
function aJob(
  take: TakeEvents,
  { owner = 'one', life = 15_000, log = silentLog, count }: JobOptions = {},
): EventJob {
  const job = new EventJob({
    redis,
    clock,
    log,
    shards: SHARDS,
    take,
    reader: new EventReader(redis, clock, count),
    leases: new Leases(redis, clock, { job: 'events', parts: SHARDS, owner, life }),
  });
  jobs.push(job);
  return job;
}

function collector(): { readonly events: LifecycleEvent[]; readonly take: TakeEvents } {
  const events: LifecycleEvent[] = [];
  return { events, take: async (_, batch) => void events.push(...batch) };
}

function aSession(sessionId: string, more: Partial<Session> = {}): Session {
  const now = clock.now();
  return {
    edge: 'astra-1',
    sessionId,
    fingerprint: `f${sessionId}`,
    viewerKey: `v${sessionId}`,
    channel: 'sport 1',
    ip: '192.0.2.7',
    userAgent: 'VLC',
    host: 'live.example.com',
    path: '/a001',
    dialect: 'astra',
    backend: 'portal',
    namespace: 'portal',
    user: 'anna/b',
    sessionName: '',
    state: 'active',
    source: 'backend',
    presence: 'assumed',
    openedAt: now,
    authorizedUntil: 0,
    aliveUntil: now + 14_400_000,
    ...more,
  };
}

describe('EventJob', () => {
  it('hands over what happened to sessions, with names decoded and no secret in it', async () => {
    await registry.open(aSession('4:2'));
    await registry.close({ edge: 'astra-1', sessionId: '4:2' }, 'closed-by-edge');
    const { events, take } = collector();
    const job = aJob(take);
    await job.look();
    expect(events.map(({ type, edge, session }) => [type, edge, session])).toEqual([
      ['session.opened', 'astra-1', '4:2'],
      ['session.closed', 'astra-1', '4:2'],
    ]);
    const [opened, closed] = events;
    expect(opened!.facts).toMatchObject({
      namespace: 'portal',
      user: 'anna/b',
      channel: 'sport 1',
      ip: '192.0.2.7',
      ua: 'VLC',
      presence: 'assumed',
      openedAt: expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
    });
    expect(closed!.facts).toMatchObject({ reason: 'closed-by-edge', user: 'anna/b' });
    expect(opened!.id).toMatch(/^\d{13}-\d{6}-0[01]$/);
    expect(opened!.id < closed!.id).toBe(true);
    expect(JSON.stringify(events)).not.toMatch(/f4:2|v4:2|fingerprint|viewerKey/);
    expect([...job.consumed]).toEqual([
      ['session.opened', 1],
      ['session.closed', 1],
    ]);
  });

  it('tells which opening an event belongs to, across batches, and when an id is used again', async () => {
    const { events, take } = collector();
    const job = aJob(take);
    const name = { edge: 'astra-1', sessionId: '1' };
    await registry.open(aSession('1'));
    await job.look();
    await registry.open(aSession('1', { fingerprint: 'another' }));
    await job.look();
    await registry.close(name, 'kicked');
    await job.look();
    const [first, replaced, second, closed] = events;
    expect(events.map(({ type }) => type)).toEqual([
      'session.opened',
      'session.closed',
      'session.opened',
      'session.closed',
    ]);
    expect(first!.opening).toBe(first!.id);
    expect(replaced!.opening).toBe(first!.id);
    expect(second!.opening).toBe(second!.id);
    expect(closed!.opening).toBe(second!.id);
    // Nothing of sessions that ended stays.
    expect(await server.cli('KEYS', 'usher:openings:*')).toBe('');
  });

  it('passes on any other event as it is, but for credentials and viewer keys', async () => {
    const writer = new EventWriter(redis, clock, { shards: SHARDS });
    await writer.tell('check.denied', 'astra-1/42', {
      edge: 'astra-1',
      sessionId: '42',
      status: 403,
      hold: 'viewer:abcdefghijklmnopqrstuvwxyz',
    });
    await writer.tell('never.heard-of' as never, 'astra-1/42', {
      anything: 'goes',
      token: 'secret',
      viewerKey: 'v',
    });
    await writer.tell('hold.set', 'astra-1/42', {
      kind: 'user-viewer',
      subject: 'portal/anna/abcdef',
      until: 1_800_000_000_000,
    });
    const { events, take } = collector();
    await aJob(take).look();
    expect(events).toMatchObject([
      { type: 'check.denied', edge: 'astra-1', session: '42', facts: { status: '403', hold: 'viewer:***' } },
      { type: 'never.heard-of', facts: { anything: 'goes' } },
      { type: 'hold.set', facts: { subject: 'portal/anna/***', until: '2027-01-15T08:00:00.000Z' } },
    ]);
    expect(events[1]!.facts).toEqual({ anything: 'goes' });
    expect(events[1]).not.toHaveProperty('opening');
  });

  it('hands over again what was refused, before anything newer', async () => {
    const seen: string[][] = [];
    let refuse = true;
    const job = aJob(async (_, events) => {
      seen.push(events.map(({ session }) => session!));
      if (refuse) throw new Error('not now');
    });
    await registry.open(aSession('1'));
    await job.look();
    await registry.open(aSession('2'));
    await job.look();
    refuse = false;
    await job.look();
    expect(seen).toEqual([['1'], ['1'], ['1'], ['2']]);
    expect(job.waiting()).toBe(0);
    await job.look();
    expect(seen).toHaveLength(4);
  });

  it('goes on where a process that died left off', async () => {
    let reached = (): void => undefined;
    const inside = new Promise<void>((resolve) => (reached = resolve));
    const dying = aJob(
      () => {
        reached();
        return new Promise(() => undefined);
      },
      { owner: 'dying', life: 300 },
    );
    await registry.open(aSession('1'));
    await registry.open(aSession('2'));
    void dying.look();
    await inside;
    jobs.splice(jobs.indexOf(dying), 1);
    const { events, take } = collector();
    const living = aJob(take, { owner: 'living', life: 300 });
    living.start();
    await registry.open(aSession('3'));
    await eventually(() => events.length >= 3, { withinMs: 20_000 });
    expect(events.map(({ session }) => session)).toEqual(['1', '2', '3']);
  });

  it('divides the shards: no event is handed over by two', async () => {
    const a = collector();
    const b = collector();
    const both = [aJob(a.take, { owner: 'a' }), aJob(b.take, { owner: 'b' })];
    for (let number = 0; number < 50; number += 1)
      await registry.open(aSession(`${number}`, { user: `u${number}` }));
    await Promise.all(both.map((job) => job.look()));
    const ids = [...a.events, ...b.events].map(({ id }) => id);
    expect(new Set(ids).size).toBe(50);
    expect(ids).toHaveLength(50);
  });

  it('reads on in batches until nothing is left', async () => {
    const sizes: number[] = [];
    const job = aJob(async (_, events) => void sizes.push(events.length), { count: 10 });
    for (let number = 0; number < 25; number += 1) await registry.open(aSession(`${number}`));
    await job.look();
    expect(sizes).toEqual([10, 10, 5]);
  });

  it('says how many events were pushed out unread, once', async () => {
    const said: unknown[] = [];
    const log = { ...silentLog, error: (fields: unknown) => said.push(fields) };
    const { events, take } = collector();
    const job = aJob(take, { log });
    const key = eventsKey('00');
    const add = (n: number, ...bound: string[]) =>
      redis.call('XADD', [key, ...bound, '*', 'type', 'test.event', 'n', String(n)]);
    for (let n = 0; n < 10; n += 1) await add(n);
    await job.look();
    for (let n = 10; n < 40; n += 1) await add(n);
    await redis.call('XTRIM', [key, 'MAXLEN', '5']);
    await job.look();
    await add(40);
    await job.look();
    expect(events.map(({ facts }) => facts['n'])).toEqual(
      [...Array(10).keys(), 35, 36, 37, 38, 39, 40].map(String),
    );
    expect(job.missed).toBe(25);
    expect(said).toEqual([{ shard: '00', missed: 25 }]);
  });

  it('removes what is acknowledged and old, and nothing that another group has not read', async () => {
    const key = eventsKey('00');
    const { events, take } = collector();
    const job = aJob(take);
    for (const id of ['1000-1', '1000-2', '1000-3'])
      await redis.call('XADD', [key, id, 'type', 'test.event']);
    await redis.call('XGROUP', ['CREATE', key, 'other', '0']);
    await redis.call('XREADGROUP', ['GROUP', 'other', 'x', 'COUNT', '2', 'STREAMS', key, '>']);
    await redis.call('XACK', [key, 'other', '1000-1']);
    await job.look();
    expect(events).toHaveLength(3);
    expect(await server.cli('XRANGE', key, '-', '+')).toMatch(/^1000-2\b/);
    await redis.call('XGROUP', ['DESTROY', key, 'other']);
    await redis.call('XADD', [key, '*', 'type', 'test.event']);
    await job.look();
    // What happened within the hour stays for people to look at.
    expect(await server.cli('XLEN', key)).toBe('1');
  });

  it('begins anew in a Redis that came back empty', async () => {
    const { events, take } = collector();
    const job = aJob(take);
    await registry.open(aSession('1'));
    await job.look();
    await redis.call('FLUSHALL', []);
    await registry.open(aSession('2'));
    await job.look();
    expect(events.map(({ session }) => session)).toEqual(['1', '2']);
    expect(job.missed).toBe(0);
  });

  it('takes nothing for missed where the note of what was read is gone', async () => {
    const { events, take } = collector();
    const job = aJob(take);
    const key = eventsKey('00');
    for (let n = 0; n < 10; n += 1) await redis.call('XADD', [key, '*', 'type', 'test.event']);
    await job.look();
    await redis.call('XTRIM', [key, 'MAXLEN', '2']);
    await redis.call('DEL', ['usher:heard:{00}']);
    await job.look();
    await redis.call('XADD', [key, '*', 'type', 'test.event']);
    await job.look();
    await redis.call('XTRIM', [key, 'MAXLEN', '1']);
    await job.look();
    expect([events.length, job.missed]).toEqual([11, 0]);
  });

  it('writes nothing while nothing happens', async () => {
    const job = aJob(collector().take);
    await registry.open(aSession('1'));
    await job.look();
    const offset = async (): Promise<unknown> =>
      /master_repl_offset:(\d+)/.exec(String(await redis.call('INFO', ['replication'])))?.[1];
    const changes = async (): Promise<unknown> =>
      /rdb_changes_since_last_save:(\d+)/.exec(String(await redis.call('INFO', ['persistence'])))?.[1];
    const before = [await offset(), await changes()];
    for (let n = 0; n < 5; n += 1) await job.look();
    expect([await offset(), await changes()]).toEqual(before);
  });

  it('leaves no key without end but the streams', async () => {
    await registry.open(aSession('1'));
    await aJob(collector().take).look();
    for (const kind of ['heard', 'openings']) {
      const keys = (await server.cli('KEYS', `usher:${kind}:*`)).split('\n');
      expect(keys).toHaveLength(1);
      expect(Number(await redis.call('PTTL', [keys[0]!]))).toBeGreaterThan(0);
    }
  });
});
