import type { ClusterNode } from '#usher/node';
import type { BreakerView } from './outage-job.js';
import type { BackendNow } from './recycle.js';

/** Whom it would refuse wrongly, or would not be asked about, is neither cut nor made to come back. */
export function backendNow(node: Pick<ClusterNode, 'gates' | 'switches'>, backend: string): BackendNow {
  const view = breakerOf(node, backend);
  if (view === undefined) return 'unsure';
  if (!view.closed) return { why: 'the backend is suspended again' };
  if (node.switches.ofBackend(backend) !== undefined)
    return { why: 'an operator keeps the backend from being asked' };
  const isSuspicious = node.gates.gates.get(backend)?.status().suspicion !== undefined;
  return isSuspicious ? { why: 'the backend answers unlike itself' } : 'asked';
}

/** Its breaker as this process sees it. */
export function breakerOf({ gates }: Pick<ClusterNode, 'gates'>, backend: string): BreakerView {
  const status = gates.gates.get(backend)?.status();
  return status === undefined || status.alone
    ? undefined
    : { closed: status.state === 'closed', since: status.since };
}
