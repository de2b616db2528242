import { readFileSync } from 'node:fs';
import { eventually, startRedis, type RedisProcess, type RedisProcessOptions } from '#usher/testing';
import { startUsher, type UsherConfig, type UsherProcess } from './usher-process.js';

export interface ClusterSize {
  readonly gateways?: number;
  readonly workers?: number;
  readonly redis?: RedisProcessOptions;
}

/** A Redis, gateways and workers of this test alone. */
export interface UsherCluster {
  readonly redis: RedisProcess;
  readonly gateways: readonly UsherProcess[];
  readonly workers: readonly UsherProcess[];
  /** The first gateway. */
  readonly gateway: UsherProcess;
  /** One more, which the cluster knows by now; `own` replaces what is configured for all. */
  add(role: 'gateway' | 'worker', own?: UsherConfig): Promise<UsherProcess>;
  /** What all processes wrote, those that are gone too. */
  output(): string;
  /** Resolves when every living gateway says that nothing is wrong. */
  whole(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts everything and waits until the gateways know of the workers. `config` goes to all processes. Redis gets more
 * time than in production: what a busy machine does to a 30 ms deadline is not what these tests are about.
 */
export async function startCluster(
  config: UsherConfig,
  { gateways = 1, workers = 1, redis: redisOptions = {} }: ClusterSize = {},
): Promise<UsherCluster> {
  const redis = await startRedis(redisOptions);
  const shared = { ...config, redis: { url: redis.url, timeout: '250ms', ...(config['redis'] as object) } };
  const all: UsherProcess[] = [];
  const start = async (role: 'gateway' | 'worker', own?: UsherConfig): Promise<UsherProcess> => {
    const process = await startUsher(role, { ...shared, ...own });
    all.push(process);
    return process;
  };
  const those = (role: string): UsherProcess[] => all.filter((process) => process.role === role);
  const cluster: UsherCluster = {
    redis,
    get gateways() {
      return those('gateway');
    },
    get workers() {
      return those('worker');
    },
    get gateway() {
      return those('gateway')[0]!;
    },
    add: async (role, own) => {
      const process = await start(role, own);
      await cluster.whole();
      return process;
    },
    output: () => all.map((process) => process.output()).join(''),
    whole: async () => {
      for (const gateway of those('gateway')) {
        if (!isAlive(gateway.pid)) continue;
        await eventually(async () => expect(await gateway.problems()).toEqual([]), { withinMs: 60_000 });
      }
    },
    stop: async () => {
      await Promise.all(all.map((process) => process.end('SIGKILL')));
      await redis.stop();
    },
  };
  const roles = [...Array<'worker'>(workers).fill('worker'), ...Array<'gateway'>(gateways).fill('gateway')];
  const started = await Promise.allSettled(roles.map((role) => start(role)));
  const failed = started.find(({ status }) => status === 'rejected');
  if (failed !== undefined) {
    await cluster.stop();
    throw (failed as PromiseRejectedResult).reason;
  }
  await cluster.whole();
  return cluster;
}

/** A zombie, whom nobody has waited for yet, is dead. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
