import { setTimeout as delay } from 'node:timers/promises';
import type { LoadJob, LoadReport } from '../load/load-job.js';
import { startGenerator, type Generator } from '../processes/generator.js';
import { startTrivialBackend } from '../processes/http-server.js';
import { startRedis, type RedisServer } from '../processes/redis.js';
import { startUsher, type UsherOptions, type UsherProcess } from '../processes/usher.js';

/** A gateway at work, with all that it needs. */
export interface Rig {
  readonly redis: RedisServer;
  readonly gateway: UsherProcess;
  stop(): Promise<void>;
}

export interface RigOptions extends Pick<UsherOptions, 'edges'> {
  /** With no worker the gateway asks the backend itself. */
  readonly workers: 0 | 1;
}

export async function startRig({ workers, edges }: RigOptions): Promise<Rig> {
  const redis = await startRedis();
  const backend = await startTrivialBackend();
  const options = { redisUrl: redis.url, backendPort: backend.port, edges };
  const worker = workers === 1 ? await startUsher('worker', options) : undefined;
  const gateway = await startUsher('gateway', options);
  while (workers === 1 && (await gateway.problems()).length > 0) await delay(100);
  return {
    redis,
    gateway,
    stop: async () => {
      await Promise.all([gateway.stop(), worker?.stop(), backend.stop()]);
      await redis.stop();
    },
  };
}

/** Gives a generator to a figure, and ends it with it. */
export async function withGenerator<T>(use: (generator: Generator) => Promise<T>): Promise<T> {
  const generator = startGenerator();
  try {
    return await use(generator);
  } finally {
    await generator.stop();
  }
}

/** A run on one rung of the ladder. */
export interface RungReport extends LoadReport {
  /** The share of the checks that this rung answered. Below 1 the machine was so busy that others stepped in. */
  readonly onRung: number;
}

/** With less of it on the rung that was meant, another thing was measured. */
const MEASURES_IT = 0.5;

/** Runs a job against a gateway, or at a port in front of it. Rejects when it was mostly other rungs than these that answered. */
export async function runOnRung(
  generator: Generator,
  gateway: UsherProcess,
  rungs: readonly string[],
  job: Omit<LoadJob, 'port'> & Partial<Pick<LoadJob, 'port'>>,
): Promise<RungReport> {
  const before = await gateway.answersBySource();
  const report = await generator.run({ port: gateway.port, ...job });
  const after = await gateway.answersBySource();
  const gained = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  const sum = (counts: typeof gained): number => counts.reduce((total, [, count]) => total + count, 0);
  const onRung = sum(gained.filter(([name]) => rungs.includes(name))) / sum(gained);
  if (onRung < MEASURES_IT) {
    const told = gained.filter(([, count]) => count > 0).map(([name, count]) => `${name} ${count}`);
    throw new Error(`meant to be answered by ${rungs.join(' or ')}, but: ${told.join(', ')}`);
  }
  return { ...report, onRung };
}

/** Viewers who have not asked yet: each is a new session, with a token that nobody has seen. */
export function newViewers(start = 1_000_000): (count: number) => Pick<LoadJob, 'first' | 'count'> {
  let next = start;
  return (count) => {
    next += count;
    return { first: next - count, count };
  };
}
