import { BUS_REDIS_OPTIONS, StreamClient } from '#usher/bus';
import { configSchema } from '#usher/config';
import { silentLog, type Clock } from '#usher/domain';
import { connectionFactory, connectRedis, type RedisClient } from '#usher/redis';
import type { SwitchChange } from '#usher/sessions';
import { eventually, startRedis, type RedisProcess } from '#usher/testing';
import {
  clusterSwitches,
  SwitchNameError,
  switchSentence,
  type ClusterSwitches,
} from './cluster-switches.js';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const DAY = 86_400_000;
const config = configSchema.parse({
  backends: { portal: { type: 'http', url: 'http://portal.example.com' } },
  routes: [
    { name: 'sports', match: { channel: 's*' }, backend: 'portal' },
    { name: 'promo', match: { channel: 'promo' }, access: 'public' },
    { backend: 'portal' },
  ],
});

let server: RedisProcess;
let redis: RedisClient;
let bus: StreamClient;
let switches: ClusterSwitches;
let changes: SwitchChange[];
let told: string[];

beforeEach(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  const open = connectionFactory({ url: server.url } as never);
  bus = new StreamClient({ connect: () => open(BUS_REDIS_OPTIONS), id: 'one', now: () => clock.now() });
  changes = [];
  told = [];
  const events = { tell: async (type: string) => void told.push(type) };
  const onChange = (change: SwitchChange): void => void changes.push(change);
  switches = clusterSwitches({ config, redis, bus, clock, log: silentLog, events, onChange });
  await bus.connect();
  expect(await bus.events.tailing(10_000)).toBe(true);
});

afterEach(async () => {
  switches.stop();
  await bus.close();
  await redis.close();
  await server.stop();
});

const wanted = { kind: 'backend', name: 'portal', mode: 'maintenance', by: 'anna', reason: '' } as const;

describe('a switch', () => {
  it('counts here when it is set, is told as an event, and ends at its time by itself', async () => {
    const set = await switches.set({ ...wanted, time: { lasts: 700 } });
    expect(switches.ofBackend('portal')).toEqual(set);
    expect(set).toMatchObject({ ...wanted, until: set.since + 700 });
    expect(told).toEqual(['switch.set']);
    // Long before anybody would look at the table again.
    await eventually(() => changes.length === 2, { withinMs: 4_000 });
    expect(changes.map(({ what }) => what)).toEqual(['set', 'over']);
    expect(clock.now()).toBeGreaterThanOrEqual(set.until);
    expect([...switches.all()]).toEqual([]);
  });

  it('on a route counts for that, until it is lifted', async () => {
    await switches.set({ ...wanted, kind: 'route', name: 'sports', time: { lasts: DAY } });
    expect(switches.ofRoute('sports')).toMatchObject({ mode: 'maintenance' });
    expect(switches.ofBackend('portal')).toBeUndefined();
    expect(await switches.lift('route', 'sports', 'bob')).toBe(true);
    expect(switches.ofRoute('sports')).toBeUndefined();
    expect(await switches.lift('route', 'sports', 'bob')).toBe(false);
    expect(told).toEqual(['switch.set', 'switch.lifted']);
  });

  it.each([
    ['backend', 'portl', 'there are: portal'],
    ['backend', 'sports', 'there are: portal'],
    ['route', 'promo', 'there are: sports'],
    ['route', '0', 'there are: sports'],
  ] as const)('on what cannot be switched is refused: %s %s', async (kind, name, known) => {
    const refused = switches.set({ ...wanted, kind, name, time: { lasts: DAY } });
    await expect(refused).rejects.toThrow(SwitchNameError);
    await expect(refused).rejects.toThrow(known);
  });

  it.each([
    ['without an end', Infinity],
    ['for a year', 365 * DAY],
    ['for no time', 0],
    ['for what is no number', Number.NaN],
  ])('%s is refused', async (_, lasts) => {
    await expect(switches.set({ ...wanted, time: { lasts } })).rejects.toThrow(RangeError);
    await expect(switches.set({ ...wanted, time: { until: clock.now() + lasts } })).rejects.toThrow(
      RangeError,
    );
    expect([...switches.all()]).toEqual([]);
  });

  it('is said in one sentence', () => {
    const times = { since: 0, until: Date.UTC(2026, 10, 24, 3) };
    expect(switchSentence({ ...wanted, ...times, reason: 'disks' })).toBe(
      'backend portal is switched: maintenance until 2026-11-24T03:00:00.000Z, by anna',
    );
    expect(switchSentence({ ...wanted, ...times, mode: 'open' })).toContain(
      'forced to let in on trust until',
    );
  });
});
