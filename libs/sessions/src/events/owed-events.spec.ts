import { silentLog } from '#usher/domain';
import { connectRedis, eventsKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { eventually, ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { OwedEvents, type OwedEventsOptions } from './owed-events.js';

const patience = { withinMs: 30_000 };
let server: RedisProcess;
let redis: RedisClient;
let clock: ManualClock;
const opened: OwedEvents[] = [];

beforeEach(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 1_000 });
  await redis.ready();
  clock = new ManualClock();
});
afterEach(async () => {
  for (const one of opened.splice(0)) one.stop();
  await redis.close();
  await server.stop();
});

function owedEvents(options: Partial<OwedEventsOptions> = {}): OwedEvents {
  const owed = new OwedEvents(redis, clock, silentLog, { shards: 1, ...options });
  opened.push(owed);
  return owed;
}
/** [type, n, at] of each event in the stream. */
async function written(): Promise<string[][]> {
  const entries = (await redis.call('XRANGE', [eventsKey('00'), '-', '+'])) as [string, string[]][];
  return entries.map(([, [, type, , at, , n]]) => [type!, n!, at!]);
}
const away = () => eventually(() => redis.away, patience);

describe('events that are owed', () => {
  it('are written at once where Redis is there', async () => {
    const owed = owedEvents();
    await owed.tell('outage.started', 'portal', { n: 1 });
    expect(await written()).toEqual([['outage.started', '1', String(clock.now())]]);
    expect(owed.size).toBe(0);
  });

  it('wait while Redis is away, and are written in their order with their own times when it is back', async () => {
    const owed = owedEvents();
    await server.kill();
    await away();
    const start = clock.now();
    for (let n = 1; n <= 3; n += 1) {
      await owed.tell('breaker.suspended', 'portal', { n });
      clock.advance(60_000);
    }
    expect(owed.size).toBe(3);
    await server.restart();
    await eventually(() => owed.size === 0, patience);
    expect(await written()).toEqual(
      [0, 1, 2].map((n) => ['breaker.suspended', String(n + 1), String(start + n * 60_000)]),
    );
  });

  it('are written once where the answer was late', async () => {
    const owed = owedEvents();
    await owed.tell('first' as never, 'portal', { n: 0 });
    server.pause();
    const telling = owed.tell('outage.ended', 'portal', { n: 1 });
    await telling;
    expect(owed.size).toBe(1);
    server.resume();
    await eventually(() => owed.size === 0, patience);
    expect((await written()).map(([type]) => type)).toEqual(['first', 'outage.ended']);
  });

  it('are bounded: of too many the oldest go', async () => {
    const owed = owedEvents({ most: 5 });
    await server.kill();
    await away();
    for (let n = 0; n < 8; n += 1) await owed.tell('hold.set', 'portal', { n });
    expect([owed.size, owed.dropped]).toEqual([5, 3]);
    await server.restart();
    await eventually(() => owed.size === 0, patience);
    expect((await written()).map(([, n]) => n)).toEqual(['3', '4', '5', '6', '7']);
  });

  it('are told once where several processes tell the same of the same time', async () => {
    for (const owed of [owedEvents(), owedEvents()])
      await owed.tell('backend.trusted-again', 'portal', { n: 1 }, 5_000);
    expect(await written()).toEqual([['backend.trusted-again', '1', '5000']]);
  });

  it('leave no key without an end but the stream', async () => {
    await owedEvents().tell('outage.started', 'portal', { n: 1 });
    const keys = (await server.cli('KEYS', 'usher:told:*')).split('\n');
    expect(keys).toHaveLength(1);
    expect(Number(await redis.call('PTTL', [keys[0]!]))).toBeGreaterThan(0);
  });
});
