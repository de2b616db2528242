import type { LogFields } from '#usher/domain';
import { silentLog } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import { eventually, ManualClock, startRedis } from '#usher/testing';
import { EventWriter } from '../events/event-writer.js';
import { outageEvents } from './outage-events.js';
import { TrustLimit } from './trust-limit.js';

const MINUTE = 60_000;

describe('events of outages', () => {
  it('stand in the stream of the backend’s shard and in the log, each fact once', async () => {
    const server = await startRedis();
    const redis = connectRedis({ url: server.url, timeout: 5_000 });
    await redis.ready();
    const clock = new ManualClock();
    const logged: [LogFields, string][] = [];
    const log = { ...silentLog, warn: (...line: [LogFields, string]) => logged.push(line) };
    const tell = outageEvents(new EventWriter(redis, clock, { shards: 1 }), log);
    const limit = new TrustLimit({ maxOutage: 10 * MINUTE, budget: { viewers: 1, enforce: true } });
    limit.spent(2, 7);
    const news = limit.news(clock.now() - 9 * MINUTE, clock.now());
    for (const { type, mark: _, ...facts } of news) tell(type, 'portal', { outage: 'portal~1', ...facts });
    const entries = await eventually(async () => {
      const found = (await redis.call('XRANGE', ['usher:events:{00}', '-', '+'])) as [string, string[]][];
      expect(found).toHaveLength(2);
      return found.map(([, fields]) => fields);
    });
    for (const fields of entries) {
      const names = fields.filter((_, place) => place % 2 === 0);
      expect(names).toEqual([...new Set(names)]);
    }
    expect(entries[0]).toEqual(
      expect.arrayContaining(['outage.expiring', 'maxOutage', 'portal', 'portal~1']),
    );
    expect(entries[1]).toEqual(
      expect.arrayContaining(['outage.expired', 'failOpenBudget', 'enforced', 'yes']),
    );
    expect(logged.map(([, sentence]) => sentence.split(':')[0])).toEqual([
      'outage.expiring',
      'outage.expired',
    ]);
    await redis.close();
    await server.stop();
  });

  it('that cannot be written break nothing', async () => {
    const lost: unknown[] = [];
    const log = { ...silentLog, warn: (fields: LogFields) => lost.push(fields['error']) };
    const events = { tell: () => Promise.reject(new Error('away')) };
    outageEvents(events, log)('outage.ended', 'portal', {});
    await eventually(() => lost.length === 1);
    expect(lost).toEqual([new Error('away')]);
  });
});
