import { configSchema } from '#usher/config';
import { silentLog } from '#usher/domain';
import type { Hold, Newcomer, Session } from '#usher/domain';
import { connectRedis, type RedisClient } from '#usher/redis';
import { DeviceSlots, RedisSessionRegistry, type NewHold, type Surplus } from '#usher/sessions';
import { eventually, ManualClock, startRedis, type RedisProcess } from '#usher/testing';
import { evictions } from './limit-evictions.js';
import { ClusterLimits } from './limits.js';

const key = (name: string): string => name.repeat(26).slice(0, 26);

let server: RedisProcess;
let redis: RedisClient;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 2_000 });
  await redis.ready();
});

beforeEach(() => redis.call('FLUSHALL', []));

afterAll(async () => {
  await redis?.close();
  await server?.stop();
});

function world(limits: Record<string, unknown> = {}) {
  const config = configSchema.parse({
    limits: { mode: 'enforce', ...limits },
    edges: { 'astra-1': { control: { url: 'http://a:8000' } } },
    backends: { portal: { type: 'http', url: 'http://portal.example.com', maxDevices: 1 } },
  });
  const clock = new ManualClock(Date.now());
  const registry = new RedisSessionRegistry(redis, clock, { shards: 4 });
  const slots = new DeviceSlots(redis, { shards: 4, life: config.gateway.assumedLife });
  const held: NewHold[] = [];
  const order: string[] = [];
  const evict = evictions({
    read: (name) => registry.read(name),
    revoke: async (session, reason) => {
      order.push(`revoke ${session.sessionId} ${reason}`);
      await registry.revoke(session, reason, { fingerprint: session.fingerprint });
    },
    holds: {
      set: async (hold) => {
        order.push(`hold ${hold.subject}`);
        held.push(hold);
        return hold as unknown as Hold;
      },
    },
    log: silentLog,
  });
  let late = false;
  const taking = {
    take: (...args: Parameters<DeviceSlots['take']>) =>
      late ? Promise.reject(new Error('late')) : slots.take(...args),
    look: (...args: Parameters<DeviceSlots['look']>) => slots.look(...args),
  };
  const limits_ = new ClusterLimits({ config, clock, log: silentLog, redis, slots: taking, evict });
  return {
    limits: limits_,
    registry,
    clock,
    held,
    order,
    evict,
    slots,
    beLate: (is: boolean) => {
      late = is;
    },
  };
}

const newcomer = (changes: Partial<Newcomer> = {}): Newcomer => ({
  edge: 'astra-1',
  sessionId: '1',
  channel: 'a001',
  namespace: 'portal',
  user: 'anna',
  viewerKey: key('phone'),
  device: 'named',
  habit: 'once',
  cap: 1,
  isOpen: false,
  ...changes,
});

const sessionOf = ({ edge, sessionId, channel, namespace, user, viewerKey }: Newcomer): Session => ({
  edge,
  sessionId,
  channel,
  namespace,
  user,
  viewerKey,
  fingerprint: key('f'),
  ip: '192.0.2.7',
  userAgent: '',
  host: '',
  path: '',
  dialect: 'astra',
  backend: 'portal',
  sessionName: user,
  state: 'active',
  source: 'backend',
  presence: 'listed',
  openedAt: Date.now(),
  authorizedUntil: 0,
  aliveUntil: Date.now() + 14_400_000,
});

const box = newcomer({ sessionId: '2', viewerKey: key('box') });
const laptop = newcomer({ sessionId: '3', viewerKey: key('laptop') });

describe('a gateway that asks for a place', () => {
  it('hears of the cap, and counts how often it was reached', async () => {
    const { limits } = world();
    expect([await limits.admit(newcomer()), await limits.admit(box)]).toEqual(['admitted', 'over']);
    expect(limits.counts.enforce).toEqual({ refused: 1, evicted: 0, unchecked: 0 });
  });

  it('admits everybody where limits only observe, and counts who would have been refused', async () => {
    const { limits } = world({ mode: 'observe' });
    expect([await limits.admit(newcomer()), await limits.admit(box)]).toEqual(['admitted', 'admitted']);
    expect(limits.counts.observe).toEqual({ refused: 1, evicted: 0, unchecked: 0 });
    expect(limits.counts.enforce.refused).toBe(0);
  });

  it('observes for a minute after Redis came back empty', async () => {
    const { limits, clock } = world();
    limits.observeForAWhile();
    await limits.admit(newcomer());
    expect(await limits.admit(box)).toBe('admitted');
    clock.advance(60_000);
    expect(await limits.admit(laptop)).toBe('over');
  });

  it('admits while Redis is late, and counts that device afterwards', async () => {
    const { limits, beLate } = world();
    beLate(true);
    expect(await limits.admit(newcomer())).toBe('admitted');
    expect(limits.counts.enforce.unchecked).toBe(1);
    beLate(false);
    await eventually(async () => expect(await redis.call('KEYS', ['usher:slots:*'])).toHaveLength(1));
    expect(await limits.admit(box)).toBe('over');
  });

  it('gives back what a Redis lost: who watches counts again', async () => {
    const { limits, registry } = world();
    const session = sessionOf(newcomer());
    await registry.open(session);
    const other = { ...sessionOf(box), user: '' };
    await limits.offer([session, other], new AbortController().signal);
    await eventually(async () => expect(await redis.call('KEYS', ['usher:slots:*'])).toHaveLength(1));
    expect(await limits.admit(laptop)).toBe('over');
  });
});

describe('who is evicted', () => {
  it('is held first, user and viewer key, and then revoked', async () => {
    const { limits, registry, held, order } = world({ over: 'evict' });
    await limits.admit(newcomer());
    await registry.open(sessionOf(newcomer()));
    expect(await limits.admit(box)).toBe('admitted');
    await eventually(() => expect(order).toHaveLength(2));
    expect(order).toEqual([`hold portal/anna/${key('phone')}`, 'revoke 1 evicted']);
    const { kind, effect, origin, time } = held[0]!;
    expect({ kind, effect, origin, time }).toEqual({
      kind: 'user-viewer',
      effect: 'refuse',
      origin: 'eviction',
      time: { lasts: 60_000 },
    });
    expect(limits.counts.enforce.evicted).toBe(1);
    const evicted = (): Promise<Session | undefined> => registry.read({ edge: 'astra-1', sessionId: '1' });
    await eventually(async () => expect((await evicted())?.state).toBe('revoked'));
    // It may be playing still, and counts no more.
    expect(await limits.admit({ ...box, sessionId: '4' })).toBe('admitted');
    expect(limits.counts.enforce.evicted).toBe(1);
  });

  it('is left alone where only observed, gone, another one by now, or ended already', async () => {
    const { evict, registry, order } = world();
    await registry.open(sessionOf(newcomer({ user: 'berta' })));
    const surplus = (mode: Surplus['mode'], sessionId: string): Surplus => ({
      namespace: 'portal',
      user: 'anna',
      cap: 1,
      mode,
      holdFor: 60_000,
      sessions: [{ edge: 'astra-1', sessionId }],
    });
    await evict(surplus('enforce', '1'));
    await evict(surplus('enforce', 'gone'));
    await registry.open(sessionOf(box));
    await evict(surplus('observe', '2'));
    await registry.revoke(box, 'kicked');
    await evict(surplus('enforce', '2'));
    expect(order).toEqual([]);
  });
});
