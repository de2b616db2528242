import { BUS_REDIS_OPTIONS, StreamClient } from '#usher/bus';
import type { Session } from '#usher/domain';
import { connectionFactory, connectRedis, type RedisClient } from '#usher/redis';
import { RedisKnownViewers, RedisSessionRegistry } from '#usher/sessions';
import { eventually, ManualClock, startRedis, type RedisProcess } from '#usher/testing';
import { deniedViewers, type DeniedViewer, type DenyViewer } from './denied-viewers.js';

const HOUR = 3_600_000;
const viewerKey = 'v'.repeat(26);

let server: RedisProcess;
let redis: RedisClient;
let clock: ManualClock;
let known: RedisKnownViewers;
let deny: DenyViewer;
/** What another process heard. */
let heard: DeniedViewer[];
const open: { close(): unknown }[] = [];

beforeAll(async () => {
  server = await startRedis();
});

afterAll(() => server.stop());

beforeEach(async () => {
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  await redis.call('FLUSHALL', []);
  clock = new ManualClock(Date.now() + 1_000);
  known = new RedisKnownViewers(redis, { shards: 4, knownFor: 24 * HOUR });
  heard = [];
  open.push(redis);
  deny = await aProcess('one', () => undefined);
  await aProcess('two', (denied) => heard.push(denied));
});

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function aProcess(id: string, onDenied: (denied: DeniedViewer) => void): Promise<DenyViewer> {
  const connect = connectionFactory({ url: server.url } as never);
  const bus = new StreamClient({ connect: () => connect(BUS_REDIS_OPTIONS), id, now: () => clock.now() });
  const denies = deniedViewers({ redis, known, shards: 4, bus, clock, onDenied });
  await bus.connect();
  expect(await bus.events.tailing(10_000)).toBe(true);
  open.push(bus);
  return denies;
}

const EMPTY = {
  fingerprint: 'f'.repeat(26),
  channel: 'a001',
  ip: '192.0.2.7',
  userAgent: '',
  host: '',
  path: '',
  dialect: 'astra',
  sessionName: '',
  source: 'backend',
  authorizedUntil: 0,
} as const;
const session = (part: Partial<Session> = {}): Session =>
  ({ backend: 'portal', namespace: 'people', viewerKey, user: 'anna', ...part }) as Session;
const allowed = (user: string): Promise<void> =>
  known.remember('portal', viewerKey, 'f'.repeat(26), { user, sessionName: user, authorizedUntil: 0 });

describe('a viewer whom his backend refuses when it is asked again', () => {
  it('is known no more, in Redis and in every process', async () => {
    await allowed('anna');
    await deny(session());
    expect(await known.find('portal', viewerKey)).toBeUndefined();
    await eventually(() => heard.length > 0);
    expect(heard).toEqual([{ backend: 'portal', viewerKey, user: 'anna', at: clock.now() }]);
  });

  it.each([
    ['cut in a record', 'x'.repeat(200)],
    ['said by nobody', ''],
  ])('is known no more where his name is %s', async (_, user) => {
    await allowed(user);
    const registry = new RedisSessionRegistry(redis, clock, { shards: 4 });
    const name = { edge: 'astra-1', sessionId: '42' };
    const opened = { ...session({ user, state: 'active', presence: 'seen' }), ...name };
    await registry.open({ ...EMPTY, ...opened, openedAt: clock.now(), aliveUntil: clock.now() + HOUR });
    await deny((await registry.read(name))!);
    expect(await known.find('portal', viewerKey)).toBeUndefined();
    await eventually(() => heard.length > 0);
    expect(heard).toMatchObject([{ user }]);
  });

  it('leaves another user of the same device known, and one who was allowed since', async () => {
    await allowed('bob');
    await deny(session());
    expect(await known.find('portal', viewerKey)).toMatchObject({ user: 'bob' });
    clock.set(clock.now() - HOUR);
    await deny(session({ user: 'bob' }));
    expect(await known.find('portal', viewerKey)).toMatchObject({ user: 'bob' });
  });
});
