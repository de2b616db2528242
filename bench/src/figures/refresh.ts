import type { Session } from '#usher/domain';
import { aliveKey, connectRedis, type RedisClient } from '#usher/redis';
import { allShards, SignsOfLife } from '#usher/sessions';
import type { Redis } from 'ioredis';
import type { Effort, Figure, Figures } from '../figure.js';
import { startRedis } from '../processes/redis.js';
import { median, spread } from '../statistics.js';
import { clock, LIFE, openAll, quietRegistry, seenSession, SHARDS, TIMEOUT } from './sessions.js';

/** A gateway sends its signs of life so often, s. */
const EVERY = 10;
/** Since the last time a player asked so often: for a playlist, and for segments. */
const CHECKS = 4;
/** Later by more than half an hour: the record of every session is to live longer, not just the session, ms. */
const LATER = 2_700_000;
const PER = 100_000;

/** What one flush took, all in seconds for 100,000 sessions; `commands` too. */
interface Cost {
  /** CPU of Redis, with reading and writing. */
  readonly redis: number;
  /** In the script, as Redis counts it: by a clock, so that others at work count too. */
  readonly script: number;
  /** CPU of the process that sends. */
  readonly gateway: number;
  readonly wall: number;
  readonly commands: number;
}

interface RedisTimes {
  readonly script: number;
  readonly cpu: number;
  readonly commands: number;
}

/**
 * The signs of life of sessions that are seen, sent once: what a gateway does each 10 s for all who ask again and again.
 * One process and a Redis of their own.
 */
export async function refresh({ repetitions, sessions: count }: Effort): Promise<Figures> {
  const server = await startRedis();
  const redis = connectRedis({ url: server.url, timeout: TIMEOUT });
  try {
    await redis.ready();
    const sessions = Array.from({ length: count }, (_, i) => seenSession(i));
    const flush = await flushing(redis, server.client, sessions);
    await flush(0);
    const costs: Cost[] = [];
    for (let i = 0; i < repetitions; i += 1) costs.push(await flush(0));
    const renewing = await flush(LATER);
    const commands = median(costs.map((cost) => cost.commands));
    const shared = { sessions: count, commands, wall: median(costs.map(({ wall }) => wall)) };
    return {
      refreshPer100k: figureOf(costs, 'redis', {
        ...shared,
        script: median(costs.map((cost) => cost.script)),
        renewing,
      }),
      refreshGatewayPer100k: figureOf(costs, 'gateway', shared),
    };
  } finally {
    await redis.close();
    await server.stop();
  }
}

function figureOf(costs: readonly Cost[], of: 'redis' | 'gateway', details: Figure['details']): Figure {
  const values = costs.map((cost) => cost[of]);
  const value = median(values);
  return {
    value,
    unit: 's',
    spread: spread(values),
    details: { ...details, ofOneCore: value / EVERY },
  };
}

/** Opens the sessions; returns what sends a sign of life of each, for a life that is longer by so much, ms. */
async function flushing(
  redis: RedisClient,
  client: Redis,
  sessions: readonly Session[],
): Promise<(longer: number) => Promise<Cost>> {
  const registry = quietRegistry(redis);
  await openAll(registry, sessions);
  let missing = 0;
  const onMissing = (names: readonly unknown[]): void => void (missing += names.length);
  const signs = new SignsOfLife(redis, registry, clock, { onMissing });
  const per = PER / sessions.length;
  return async (longer) => {
    const aliveUntil = clock.now() + LIFE + longer;
    // The opening's own commands are none of these.
    await client.config('RESETSTAT');
    const before = await redisTimes(client, 0);
    const cpu = process.cpuUsage();
    const began = performance.now();
    for (const session of sessions) signs.note(session, registry.shardOf(session), aliveUntil, CHECKS);
    await signs.flush();
    const wall = (performance.now() - began) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    const after = await redisTimes(client, longer > 0 ? sessions.length : 0);
    const renewed = await livingUntil(client, aliveUntil);
    if (renewed !== sessions.length || missing + signs.size + signs.dropped > 0) {
      throw new Error(`${renewed} of ${sessions.length} sessions live longer; ${missing} were missing`);
    }
    return {
      script: (after.script - before.script) * per,
      redis: (after.cpu - before.cpu) * per,
      gateway: ((user + system) / 1e6) * per,
      wall: wall * per,
      commands: Math.round((after.commands - before.commands) * per),
    };
  };
}

/** Of one Redis so far: seconds in scripts, and altogether; commands that came in, those by which it is asked aside. */
async function redisTimes(client: Redis, renewed: number): Promise<RedisTimes> {
  const [cpu, commands] = [await client.info('cpu'), await client.info('commandstats')];
  const number = (text: string, name: RegExp): number => Number(name.exec(text)?.[1] ?? 0);
  const scripts = number(commands, /^cmdstat_evalsha:calls=(\d+)/m);
  // Scripts send one for each record that is to live longer.
  const expiries = number(commands, /^cmdstat_pexpire:calls=(\d+)/m) - renewed;
  return {
    script: number(commands, /^cmdstat_evalsha:calls=\d+,usec=(\d+)/m) / 1e6,
    cpu: number(cpu, /^used_cpu_user:(\S+)/m) + number(cpu, /^used_cpu_sys:(\S+)/m),
    commands: scripts + Math.max(0, expiries),
  };
}

/** Sessions that are taken for alive until then, or longer. */
async function livingUntil(client: Redis, aliveUntil: number): Promise<number> {
  const counts = await Promise.all(
    allShards(SHARDS).map((shard) => client.zcount(aliveKey(shard), Math.round(aliveUntil), '+inf')),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
