import { CanaryKeeper, type CanaryRecord, type CanarySuspicion } from '#usher/backends';
import { BUS_REDIS_OPTIONS, StreamClient } from '#usher/bus';
import { configSchema } from '#usher/config';
import { silentLog } from '#usher/domain';
import { connectionFactory, connectRedis, type RedisClient } from '#usher/redis';
import { eventually, ManualClock, startRedis, type RedisProcess } from '#usher/testing';
import { clusterCanaries, type ClusterCanaries } from './cluster-canaries.js';

const url = 'http://portal.example.com';
const config = configSchema.parse({
  backends: { portal: { type: 'http', url, canaries: { deny: {} } }, plain: { type: 'http', url } },
  routes: [{ backend: 'portal' }],
});

let server: RedisProcess;
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  server = await startRedis();
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  await server.stop();
});

interface Process {
  readonly canaries: ClusterCanaries;
  readonly heard: (readonly string[] | undefined)[];
  /** When what they showed was over. */
  readonly lapses: number[];
  readonly redis: RedisClient;
}

/** One process of a cluster, which hears of changes from now on. */
async function aProcess(id: string, clock: ManualClock): Promise<Process> {
  const { redis, bus, ...process } = started(id, clock);
  await redis.ready();
  await bus.connect();
  expect(await bus.events.tailing(10_000)).toBe(true);
  return { redis, ...process };
}

/** One whose Redis may be away. */
function started(id: string, clock: ManualClock): Process & { readonly bus: StreamClient } {
  const redis = connectRedis({ url: server.url, timeout: 5_000 });
  const connect = connectionFactory({ url: server.url } as never);
  const bus = new StreamClient({ connect: () => connect(BUS_REDIS_OPTIONS), id, now: () => clock.now() });
  const heard: (readonly string[] | undefined)[] = [];
  const onChange = (_: string, suspicion: CanarySuspicion | undefined): void =>
    void heard.push(suspicion?.wrong);
  const lapses: number[] = [];
  const onLapse = (_: string, until: number): void => void lapses.push(until);
  const canaries = clusterCanaries({ config, redis, bus, clock, log: silentLog, onChange, onLapse });
  bus.events.start();
  open.push(redis, bus, { close: () => canaries.stop() });
  return { canaries, heard, lapses, redis, bus };
}

const wrong = { request: 'r', right: false, inARow: 2, wrong: true, proven: true };
const recordOf = (clock: ManualClock, lasts: number): CanaryRecord => ({
  since: clock.now(),
  until: clock.now() + lasts,
  deny: wrong,
});

describe('what canaries show', () => {
  it('is known to every process that is told, and to one that starts later, each once', async () => {
    const clock = new ManualClock(Date.now());
    const [one, two] = await Promise.all([aProcess('one', clock), aProcess('two', clock)]);
    expect(one.canaries.ofBackend('portal')).toBeUndefined();
    const keeper = new CanaryKeeper(one.redis);
    await keeper.write('portal', recordOf(clock, 60_000));
    await one.canaries.changed();
    await eventually(() => expect(two.heard).toEqual([['deny']]));
    expect(two.canaries.ofBackend('portal')).toMatchObject({ wrong: ['deny'], proven: ['deny'] });
    expect(two.canaries.ofBackend('plain')).toBeUndefined();
    const late = await aProcess('late', clock);
    await late.canaries.look();
    expect(late.heard).toEqual([['deny']]);
    await keeper.write('portal', { since: 0, until: 0 });
    await one.canaries.changed();
    await eventually(() => expect(two.heard).toStrictEqual([['deny'], undefined]));
    expect(two.canaries.ofBackend('portal')).toBeUndefined();
    expect(one.heard).toStrictEqual([['deny'], undefined]);
  });

  it('is known to one that starts while Redis is away, as soon as it is back', async () => {
    const clock = new ManualClock(Date.now());
    const { redis } = await aProcess('one', clock);
    await new CanaryKeeper(redis).write('portal', recordOf(clock, 60_000));
    server.pause();
    const late = started('late', clock);
    await late.canaries.look();
    expect(late.heard).toEqual([]);
    server.resume();
    await eventually(() => expect(late.heard).toEqual([['deny']]));
  });

  it('ends in its time where nobody renews it, Redis or no Redis, and goes on where it is renewed', async () => {
    const clock = new ManualClock(Date.now());
    const { canaries, heard, redis } = await aProcess('one', clock);
    const keeper = new CanaryKeeper(redis);
    await keeper.write('portal', recordOf(clock, 2_000));
    await canaries.look();
    await keeper.write('portal', { ...recordOf(clock, 10_000) });
    // By itself it looks again before the time is up.
    await eventually(() => canaries.ofBackend('portal')!.until > clock.now() + 2_000, { withinMs: 10_000 });
    expect(heard).toEqual([['deny']]);
    await server.kill();
    clock.advance(9_000);
    await canaries.look();
    expect(canaries.ofBackend('portal')).toMatchObject({ wrong: ['deny'] });
    clock.advance(1_000);
    expect(canaries.ofBackend('portal')).toBeUndefined();
    await eventually(() => expect(heard).toStrictEqual([['deny'], undefined]), { withinMs: 10_000 });
  });

  it('is told to be over where nobody sends them any more, and only where that was read', async () => {
    const clock = new ManualClock(Date.now());
    const { canaries, heard, lapses, redis } = await aProcess('one', clock);
    const keeper = new CanaryKeeper(redis);
    const record = recordOf(clock, 60_000);
    await keeper.write('portal', record);
    await canaries.look();
    expect(lapses).toEqual([]);
    server.pause();
    clock.advance(60_000);
    await canaries.look();
    expect(heard).toStrictEqual([['deny'], undefined]);
    expect(lapses).toEqual([]);
    server.resume();
    // By itself: it might have been renewed.
    await eventually(() => expect(lapses).toEqual([record.until]), { withinMs: 30_000 });
    clock.advance(600_000);
    await canaries.look();
    expect(lapses).toHaveLength(1);
  });
});
