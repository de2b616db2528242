import { ClusterClock, connectRedis, eventsKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { InvalidCursorError } from '../listing/list-position.js';
import { aSession } from '../registry/for-tests.js';
import { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { listEvents, type EventQuery } from './event-list.js';
import { EventReader } from './event-reader.js';
import { EventWriter } from './event-writer.js';

const SHARDS = 4;
let server: RedisProcess;
let redis: RedisClient;
let clock: ClusterClock;
let writer: EventWriter;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  clock = new ClusterClock(redis);
  await clock.start();
  writer = new EventWriter(redis, clock, { shards: SHARDS });
});
beforeEach(() => redis.call('FLUSHALL', []));
afterAll(async () => {
  clock.stop();
  await redis.close();
  await server.stop();
});

const list = (query: Partial<EventQuery> = {}) => listEvents(redis, SHARDS, { limit: 100, ...query }, 5_000);

describe('a list of the latest events', () => {
  it('has the newest of all shards first, page after page, each once', async () => {
    for (let n = 0; n < 30; n += 1) await writer.tell('test.event' as never, `about ${n}`, { n });
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await list({ limit: 7, cursor });
      found.push(...page.events.map(({ facts }) => facts['n']!));
      expect(page.events.length).toBeLessThanOrEqual(7);
      ({ cursor } = page);
    } while (cursor !== undefined);
    const ids = (await list()).events.map(({ id }) => id);
    expect(found.map(Number).sort((a, b) => a - b)).toEqual([...Array(30).keys()]);
    expect(ids.map((id) => id.slice(0, 20))).toEqual(
      ids
        .map((id) => id.slice(0, 20))
        .sort()
        .reverse(),
    );
  });

  it('shows events as those outside get them, without secrets, and which opening is its own', async () => {
    const registry = new RedisSessionRegistry(redis, clock, { shards: SHARDS });
    await registry.open(aSession({ sessionId: '4:2', openedAt: Math.round(clock.now()) }));
    const [event] = (await list()).events;
    expect(event).toMatchObject({
      type: 'session.opened',
      edge: 'astra-1',
      session: '4:2',
      opening: event!.id,
    });
    expect(JSON.stringify(event)).not.toMatch(/fingerprint|viewerKey/);
  });

  it('is read without a write, and takes no event from whoever consumes them', async () => {
    for (let n = 0; n < 5; n += 1) await writer.tell('test.event' as never, 'one', { n });
    const changes = async (): Promise<unknown> =>
      /rdb_changes_since_last_save:(\d+)/.exec(String(await redis.call('INFO', ['persistence'])))?.[1];
    const before = await changes();
    expect((await list()).events).toHaveLength(5);
    expect(await changes()).toBe(before);
    const batches = await Promise.all(
      ['00', '01', '02', '03'].map((one) => new EventReader(redis, clock).read(one, 'new')),
    );
    expect(batches.reduce((sum, { entries }) => sum + entries.length, 0)).toBe(5);
  });

  it('gives out a short page rather than look at everything at once', async () => {
    const args = Array.from({ length: 2_500 }, (_, n) => n);
    for (const n of args)
      void redis.call('XADD', [eventsKey('00'), `${1_000 + n}-1`, 'type', n < 3 ? 'rare' : 'test']);
    await redis.call('PING', []);
    const wants: EventQuery['wants'] = ({ type }) => type === 'rare';
    const first = await list({ wants });
    expect([first.events, first.cursor]).toEqual([[], '1500-1-00']);
    const second = await list({ wants, cursor: first.cursor });
    expect([second.events.length, second.cursor]).toEqual([3, undefined]);
  });

  it('has a beginning and an end in time', async () => {
    for (const at of [1_000, 2_000, 3_000])
      await redis.call('XADD', [eventsKey('01'), `${at}-0`, 'type', `t${at}`]);
    const types = async (query: Partial<EventQuery>) => (await list(query)).events.map(({ type }) => type);
    expect(await types({ since: 2_000 })).toEqual(['t3000', 't2000']);
    expect(await types({ until: 2_500 })).toEqual(['t2000', 't1000']);
  });

  it('begins at no cursor that no page gave', async () => {
    await expect(list({ cursor: 'x' })).rejects.toThrow(InvalidCursorError);
  });
});
