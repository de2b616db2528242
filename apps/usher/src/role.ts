import type { HealthContribution, Logger, Metrics } from '#usher/observe';
import type { Config } from '#usher/config';
import type { ClusterClock, RedisClient, Sealer } from '#usher/redis';
import type { Random } from '#usher/domain';
import type { ClusterNode } from '#usher/node';

/** The three kinds of process. */
export type RoleName = 'gateway' | 'worker' | 'control';

/** What all roles of a process share; made once, closed after them. */
export interface Runtime {
  /** Complete: `redis` leads to a Redis (the embedded one where none is configured), `secret` is there. */
  readonly config: Config;
  readonly log: Logger;
  /** Commands of the hot path. */
  readonly redis: RedisClient;
  readonly clock: ClusterClock;
  readonly random: Random;
  readonly sealer: Sealer;
  readonly metrics: Metrics;
  /** Names this process in the cluster; new with each start. */
  readonly node: { readonly id: string; readonly host: string; readonly version: string };
  /** This process as a member of the cluster. */
  readonly cluster: ClusterNode;
}

/** A role at work. */
export interface RunningRole {
  readonly health: HealthContribution;
  /**
   * Ends it: what is in flight is finished. A gateway answers with `Connection: close` for `drainMs` before it stops
   * listening, so that no edge meets a reset.
   */
  close(options: { readonly drainMs: number }): Promise<void>;
}

/** Starts a role. Rejects where it cannot: a port in use keeps its error code (EADDRINUSE). */
export type StartRole = (runtime: Runtime) => Promise<RunningRole>;
