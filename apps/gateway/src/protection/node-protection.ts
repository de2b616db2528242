import { RULES_NAMESPACE, type Settled } from '#usher/decisions';
import type { ClusterNode } from '#usher/node';
import { SuspectCounts } from '#usher/sessions';
import { Protection } from './protection.js';

/** The protection of one gateway; undefined where it is off. */
export function protection(node: ClusterNode): Protection | undefined {
  const { config, clock, log, redis, holds, events } = node;
  if (config.protection.mode === 'off') return undefined;
  const namespaceOf = ({ decision: { backend, source } }: Settled): string =>
    source === 'rule' || backend === undefined
      ? RULES_NAMESPACE
      : (config.backends[backend]?.namespace ?? backend);
  const counts = new SuspectCounts(redis, config.redis.shards);
  return new Protection({ config, clock, log, counts, holds, events, namespaceOf });
}
