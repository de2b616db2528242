import type { Session } from '#usher/domain';
import { connectRedis, type RedisClient } from '#usher/redis';
import { DeviceSlots, RedisSessionRegistry } from '#usher/sessions';
import type { Effort, Figures } from '../figure.js';
import { compared, inTurns } from '../pairs.js';
import { startRedis } from '../processes/redis.js';

const IN_FLIGHT = 128;
const CAP = 3;
/** Of each user: the last is one too many. */
const DEVICES = 4;
/** Milliseconds. */
const LIFE = 14_400_000;
/** A busy machine loses no command. */
const TIMEOUT = 10_000;

const clock = { now: () => Date.now(), monotonic: () => performance.now() };

/**
 * Opens of users with a cap of 3, each by four devices at once: a place is asked for, and where there is one, the session
 * is opened. Beside it the same opens without a cap. One process, as a gateway does it, against one Redis.
 */
export async function opensWithLimit({ repetitions, seconds, warm }: Effort): Promise<Figures> {
  const server = await startRedis();
  const redis = connectRedis({ url: server.url, timeout: TIMEOUT });
  try {
    await redis.ready();
    const opens = opensOn(redis);
    await opens.run(true, seconds / 2);
    await opens.run(false, seconds / 2);
    const run = async (isLimited: boolean): Promise<number> => {
      // What the others left behind is no part of it.
      await redis.call('FLUSHALL', []);
      await opens.run(isLimited, warm);
      return opens.run(isLimited, seconds - warm);
    };
    const pairs = await inTurns(
      repetitions,
      () => run(true),
      () => run(false),
    );
    return {
      opensWithLimit: {
        ...compared(pairs),
        unit: 'opens/s',
        besideWhat: 'no cap',
        details: { inFlight: IN_FLIGHT, cap: CAP, devices: DEVICES, over: opens.over() },
      },
    };
  } finally {
    await redis.close();
    await server.stop();
  }
}

function opensOn(redis: RedisClient) {
  const registry = new RedisSessionRegistry(redis, clock, { shards: 16 });
  const slots = new DeviceSlots(redis, { shards: 16, life: LIFE });
  let count = 0;
  let refused = 0;
  let asked = 0;
  const limited = async (session: Session): Promise<void> => {
    const way = { device: 'named', canCut: true, isSeen: false, grace: 120_000, how: 'new' } as const;
    const limit = { cap: CAP, mode: 'enforce', over: 'deny-new' } as const;
    const { outcome } = await slots.take({ ...session, ...way, ...limit }, TIMEOUT);
    asked += 1;
    if (outcome === 'over') refused += 1;
    else await registry.openSession(session);
  };
  const open = async (isLimited: boolean): Promise<void> => {
    const session = sessionOf((count += 1));
    await (isLimited ? limited(session) : registry.openSession(session));
  };
  return {
    /** The share of those who were one too many. */
    over: (): number => refused / asked,
    /** Opens a second. */
    run: async (isLimited: boolean, seconds: number): Promise<number> => {
      const started = performance.now();
      const until = started + seconds * 1_000;
      let done = 0;
      const one = async (): Promise<void> => {
        for (; performance.now() < until; done += 1) await open(isLimited);
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, one));
      return (done * 1_000) / (performance.now() - started);
    },
  };
}

/** Four in a row are of one user. */
function sessionOf(count: number): Session {
  const user = String(100_000 + Math.floor(count / DEVICES));
  const now = clock.now();
  return {
    edge: `astra-${count % 20}`,
    sessionId: String(count),
    fingerprint: String(count).padStart(26, 'f'),
    viewerKey: String(count % DEVICES).repeat(26),
    channel: `a${count % 300}`,
    ip: '192.0.2.7',
    userAgent: 'VLC/3.0.18 LibVLC/3.0.18',
    host: 'live.example.com',
    path: '/play/a001/index.m3u8',
    dialect: 'astra',
    backend: 'portal',
    namespace: 'portal',
    user,
    sessionName: user,
    state: 'active',
    source: 'backend',
    presence: 'assumed',
    openedAt: now,
    authorizedUntil: 0,
    aliveUntil: now + LIFE,
  };
}
