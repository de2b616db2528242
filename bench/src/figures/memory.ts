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
    kinds: await keysByKind(redis.client),
    gateway: await gateway.memory(),
  };
}

/** What all keys of one kind take. */
interface Kind {
  readonly bytes: number;
  readonly keys: number;
}

/**
 * All that Redis grew by. What its own tables take for each key (where it is, when it expires) is shared out by the
 * number of keys, and what is none of a session's is taken off.
 */
function redisFigure(before: Taken, after: Taken, sessions: number): Figures[string] {
  const grown = after.redis - before.redis;
  const kinds = [...after.kinds].map(([name, kind]) => ({ name, ...less(kind, before.kinds.get(name)) }));
  const sum = (of: 'bytes' | 'keys'): number => kinds.reduce((total, kind) => total + kind[of], 0);
  const perKey = (grown - sum('bytes')) / sum('keys');
  const perSession = ({ bytes, keys }: Kind): number => (bytes + keys * perKey) / sessions;
  const value = kinds
    .filter(({ name }) => OF_A_SESSION.has(name))
    .reduce((total, kind) => total + perSession(kind), 0);
  return {
    value,
    unit: 'bytes',
    spread: { min: value, max: value },
    aim: { text: `≤ ${AIM_REDIS}`, met: value <= AIM_REDIS },
    details: {
      sessions,
      withEverything: grown / sessions,
      byKind: Object.fromEntries(kinds.map((kind) => [kind.name, Math.round(perSession(kind))])),
    },
  };
}

const less = (a: Kind, b: Kind = { bytes: 0, keys: 0 }): Kind => ({
  bytes: a.bytes - b.bytes,
  keys: a.keys - b.keys,
});

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
}

/** All keys by what they are: `usher:session:{07}:…` is a `session`, `usher:{bus}:…` is `bus`. */
async function keysByKind(redis: Redis): Promise<ReadonlyMap<string, Kind>> {
  const kinds = new Map<string, Kind>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'COUNT', 1000);
    cursor = next;
    const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
    for (const [i, key] of keys.entries()) {
      const name = key.split(':')[1]!.replace(/[{}]/g, '');
      const kind = kinds.get(name) ?? { bytes: 0, keys: 0 };
      kinds.set(name, { bytes: kind.bytes + (sizes[i] ?? 0), keys: kind.keys + 1 });
    }
  } while (cursor !== '0');
  return kinds;
}
