import { readFileSync } from 'node:fs';
import { eventually, startRedis, type RedisProcess, type RedisProcessOptions } from '#usher/testing';
import { startUsher, type UsherConfig, type UsherProcess, type UsherRole } from './usher-process.js';

export interface ClusterSize {
  /** Processes with all roles: they stand first among gateways and among workers. Default 0. */
  readonly all?: number;
  /** Default 1; where there are processes with all roles, none. */
  readonly gateways?: number;
  /** As `gateways`. */
  readonly workers?: number;
  readonly controls?: number;
  readonly redis?: RedisProcessOptions;
}

/** One process with all roles: for what is the same however many there are, and started in a third of the time. */
export const ALL_IN_ONE: ClusterSize = { all: 1 };

/** A Redis and processes of this test alone. */
export interface UsherCluster {
  readonly redis: RedisProcess;
  readonly gateways: readonly UsherProcess[];
  readonly workers: readonly UsherProcess[];
  readonly controls: readonly UsherProcess[];
  /** The first gateway. */
  readonly gateway: UsherProcess;
  /** The first control. */
  readonly control: UsherProcess;
  /** One more, which the cluster knows by now; `own` replaces what is configured for all. */
  add(role: UsherRole, own?: UsherConfig): Promise<UsherProcess>;
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
export async function startCluster(config: UsherConfig, size: ClusterSize = {}): Promise<UsherCluster> {
  const redis = await startRedis(size.redis ?? {});
  const shared = { ...config, redis: { url: redis.url, timeout: '250ms', ...(config['redis'] as object) } };
  const all: UsherProcess[] = [];
  const those = (role: UsherRole): UsherProcess[] =>
    all.filter((process) => process.role === role || process.role === 'all');
  const cluster: UsherCluster = {
    redis,
    get gateways() {
      return those('gateway');
    },
    get workers() {
      return those('worker');
    },
    get controls() {
      return those('control');
    },
    get gateway() {
      return those('gateway')[0]!;
    },
    get control() {
      return those('control')[0]!;
    },
    add: async (role, own) => {
      const process = await startUsher(role, { ...shared, ...own });
      all.push(process);
      await cluster.whole();
      return process;
    },
    output: () => all.map((process) => process.output()).join(''),
    whole: async () => {
      for (const gateway of those('gateway')) {
        if (!isAlive(gateway.pid)) continue;
        await eventually(async () => expect(await gateway.problems()).toEqual([]), {
          withinMs: 60_000,
          everyMs: 25,
        });
      }
    },
    stop: async () => {
      await Promise.all(all.map((process) => process.end('SIGKILL')));
      await redis.stop();
    },
  };
  const started = await Promise.allSettled(rolesOf(size).map((role) => startUsher(role, shared)));
  all.push(...started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await cluster.stop();
    throw failed.reason;
  }
  await cluster.whole();
  return cluster;
}

function rolesOf({ all = 0, gateways, workers, controls = 0 }: ClusterSize): UsherRole[] {
  const usual = all > 0 ? 0 : 1;
  return [
    ...Array<UsherRole>(all).fill('all'),
    ...Array<UsherRole>(workers ?? usual).fill('worker'),
    ...Array<UsherRole>(gateways ?? usual).fill('gateway'),
    ...Array<UsherRole>(controls).fill('control'),
  ];
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
