import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { later, ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { aSession } from '../registry/for-tests.js';
import { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { allShards, homeShardOf } from '../registry/session-names.js';
import { eventsOfEnded, eventsSince } from './session-events.js';
import type { SessionEvents } from './session-events.js';

const SHARDS = 16;
let server: RedisProcess;
let redis: RedisClient;
let registry: RedisSessionRegistry;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  registry = new RedisSessionRegistry(redis, new ManualClock(Date.now()), { shards: SHARDS });
});
beforeEach(() => redis.call('FLUSHALL', []));
afterAll(async () => {
  await redis.close();
  await server.stop();
});

const now = Date.now();
const session = aSession({ openedAt: now });
const home = homeShardOf(session, SHARDS);
const told = ({ events }: SessionEvents): string[] => events.map(({ type }) => type.replace('session.', ''));
/** Among many others of its shard. */
async function others(shard: string, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1)
    await redis.call('XADD', [`usher:events:{${shard}}`, '*', 'type', 'test', 'session', `e:${n}`]);
}

describe('the events of a session that lives', () => {
  it('reach back into the shard that it came from, to when it was opened there', async () => {
    const before = {
      ...session,
      openedAt: now - 600_000,
      user: '',
      state: 'on-trust',
      source: 'fail-open',
    } as const;
    await registry.open({ ...before, fingerprint: 'another' });
    await registry.close(before, 'idle');
    await registry.open(before);
    await registry.open(session);
    const all = await eventsSince(redis, [registry.shardOf(session), home], session, now);
    expect(told(all).slice(-3)).toEqual(['opened', 'opened', 'moved']);
    expect(all.complete).toBe(true);
  });

  it('end where it was opened', async () => {
    await redis.call('XADD', [
      `usher:events:{${home}}`,
      '5-1',
      'type',
      'session.closed',
      'session',
      'astra-1:42',
    ]);
    await registry.open({ ...session, user: '' });
    expect(told(await eventsSince(redis, [home], session, now))).toEqual(['opened']);
  });

  it('are not all there where too many others are among them', async () => {
    await registry.open({ ...session, user: '' });
    await others(home, 2_100);
    expect(await eventsSince(redis, [home], session, now)).toEqual({ events: [], complete: false });
  });
});

describe('the events of a session that ended', () => {
  const ended = (): Promise<SessionEvents | undefined> => eventsOfEnded(redis, allShards(SHARDS), session);

  it('are those of the last one of its name, from its opening to its end, wherever it was', async () => {
    expect(await ended()).toBeUndefined();
    await registry.open({ ...session, fingerprint: 'first' });
    await registry.close(session, 'idle');
    await later();
    await registry.open({ ...session, user: '', state: 'on-trust', source: 'fail-open' });
    await registry.open(session);
    await later();
    await registry.close(session, 'closed-by-edge');
    const found = (await ended())!;
    expect(told(found)).toEqual(['opened', 'opened', 'moved', 'closed']);
    expect(found.complete).toBe(true);
    expect(found.events.at(-1)!.facts).toMatchObject({ reason: 'closed-by-edge', user: '100500' });
  });

  it('are not all there where the older ones are gone', async () => {
    await registry.open(session);
    await redis.call('DEL', [`usher:events:{${registry.shardOf(session)}}`]);
    await registry.close(session, 'kicked');
    const found = (await ended())!;
    expect([told(found), found.complete]).toEqual([['closed'], false]);
  });
});
