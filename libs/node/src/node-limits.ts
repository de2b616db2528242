import type { Config } from '#usher/config';
import type { Clock, Log } from '#usher/domain';
import type { MetricRow } from '#usher/observe';
import type { RedisClient } from '#usher/redis';
import { DeviceSlots, type RedisSessionRegistry } from '#usher/sessions';
import type { ClusterHolds } from './cluster-holds.js';
import { evictions, type Evict } from './limit-evictions.js';
import { ClusterLimits, type LimitCounts } from './limits.js';

/** What they need of a node. */
export interface LimitedNode {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly redis: RedisClient;
  readonly registry: RedisSessionRegistry;
  readonly holds: Pick<ClusterHolds, 'set'>;
}

/** The caps on devices as a process of ours takes part in them: the places, who asks for one, and how somebody goes. */
export interface NodeLimits {
  readonly slots: DeviceSlots;
  readonly limits: ClusterLimits;
  readonly evict: Evict;
}

/** Costs nothing until somebody is admitted. */
export function nodeLimits({ config, clock, log, redis, registry, holds }: LimitedNode): NodeLimits {
  const { shards } = config.redis;
  const { assumedLife, seenLife } = config.gateway;
  const slots = new DeviceSlots(redis, { shards, life: assumedLife, seenLife });
  const evict = evictions({
    read: (name) => registry.read(name),
    revoke: (session, reason) => registry.revoke(session, reason, { fingerprint: session.fingerprint }),
    holds,
    log,
  });
  return { slots, evict, limits: new ClusterLimits({ config, clock, log, redis, slots, evict }) };
}

/** Rows of METRICS.limitReached. */
export function* limitRows(
  counts: Readonly<Record<string, LimitCounts>>,
): Generator<MetricRow<'mode' | 'result'>> {
  for (const [mode, { refused, evicted, unchecked }] of Object.entries(counts)) {
    for (const [result, value] of Object.entries({ refused, evicted, unchecked })) {
      yield { value, labels: { mode, result } };
    }
  }
}
