import type { Session } from '#usher/domain';
import { connectRedis, type RedisClient } from '#usher/redis';
import { DeviceSlots, RedisSessionRegistry } from '#usher/sessions';
import type { Effort, Figures } from '../figure.js';
import { compared, inTurns } from '../pairs.js';
import { startRedis } from '../processes/redis.js';
import { clock, DEVICES, LIFE, sessionOf, SHARDS, TIMEOUT } from './sessions.js';

const IN_FLIGHT = 128;
/** Of a user with four devices: the last is one too many. */
const CAP = 3;

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
  const registry = new RedisSessionRegistry(redis, clock, { shards: SHARDS });
  const slots = new DeviceSlots(redis, { shards: SHARDS, life: LIFE });
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
