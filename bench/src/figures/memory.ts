import type { Redis } from 'ioredis';
import type { Effort, Figures } from '../figure.js';
import type { Generator } from '../processes/generator.js';
import { newViewers, runOnRung, startRig, withGenerator, type Rig } from './rig.js';

const CONNECTIONS = 64;
/** Streams and pools reach their full size with these, and are no part of a session. */
const WARM_UP = 2_000;
const AIM_REDIS = 1024;
/** Keys that are a session's: what is asked about it, and what finds it again. The rest is counted apart. */
const OF_A_SESSION = new Set(['session', 'alive', 'user', 'channel', 'where', 'edge', 'known']);

/**
 * What sessions take in Redis and in the gateway: opened by checks through the bus, each of a viewer of its own. One
 * measurement: sizes hardly vary.
 */
export function memory({ sessions }: Effort): Promise<Figures> {
  return withGenerator(async (generator) => {
    const rig = await startRig({ workers: 1 });
    const viewers = newViewers();
    try {
      await open(generator, rig, viewers(WARM_UP));
      const before = await taken(rig);
      await open(generator, rig, viewers(sessions));
      const after = await taken(rig);
      const held = (after.gateway.held - before.gateway.held) / sessions;
      return {
        redisBytesPerSession: redisFigure(before, after, sessions),
        gatewayBytesPerSession: {
          value: held,
          unit: 'bytes',
          spread: { min: held, max: held },
          details: { sessions, rss: (after.gateway.rss - before.gateway.rss) / sessions },
        },
      };
    } finally {
      await rig.stop();
    }
  });
}

async function open(
  generator: Generator,
  rig: Rig,
  viewers: { readonly first: number; readonly count: number },
): Promise<void> {
  await runOnRung(generator, rig.gateway, ['backend', 'direct'], {
    ...viewers,
    connections: CONNECTIONS,
    loop: { kind: 'closed' },
  });
}

type Taken = Awaited<ReturnType<typeof taken>>;

async function taken({ redis, gateway }: Rig) {
  return {
    redis: await usedMemory(redis.client),
    kinds: await bytesByKind(redis.client),
    gateway: await gateway.memory(),
  };
}

/** All that Redis grew by, less what is none of a session's. */
function redisFigure(before: Taken, after: Taken, sessions: number): Figures[string] {
  const grown = (after.redis - before.redis) / sessions;
  const kinds = [...after.kinds].map(
    ([kind, bytes]) => [kind, (bytes - (before.kinds.get(kind) ?? 0)) / sessions] as const,
  );
  const others = kinds.filter(([kind]) => !OF_A_SESSION.has(kind)).reduce((sum, [, bytes]) => sum + bytes, 0);
  const value = grown - others;
  return {
    value,
    unit: 'bytes',
    spread: { min: value, max: value },
    aim: { text: `≤ ${AIM_REDIS}`, met: value <= AIM_REDIS },
    details: {
      sessions,
      withEverything: grown,
      byKind: Object.fromEntries(kinds.map(([kind, bytes]) => [kind, Math.round(bytes)])),
    },
  };
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
}

/** Bytes of all keys by what they are: `usher:session:{07}:…` is a `session`. */
async function bytesByKind(redis: Redis): Promise<Map<string, number>> {
  const bytes = new Map<string, number>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'COUNT', 1000);
    cursor = next;
    const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
    for (const [i, key] of keys.entries()) {
      const kind = key.split(':')[1]!;
      bytes.set(kind, (bytes.get(kind) ?? 0) + (sizes[i] ?? 0));
    }
  } while (cursor !== '0');
  return bytes;
}
