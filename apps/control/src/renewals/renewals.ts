import type { CloseReason, Session } from '#usher/domain';
import { openRenewal } from '#usher/node';
import { RenewalStore } from '#usher/sessions';
import { askLast } from '../ask-last.js';
import type { ControlNode } from '../control-node.js';
import { leasesOf } from '../jobs.js';
import { RenewalJob } from './renewal-job.js';

/** Asks again about sessions before their time is up, where it can be asked again. */
export function renewalJob(
  node: ControlNode,
  revoke: (session: Session, reason: CloseReason) => Promise<unknown>,
): RenewalJob {
  const { redis, registry, clock, random, log, config, sealer, membership, gates } = node;
  const controls = (): number =>
    membership.nodes().filter(({ role }) => role.split('+').includes('control')).length;
  return new RenewalJob({
    store: new RenewalStore(redis, clock),
    registry,
    revoke,
    leases: leasesOf(node, 'renewals', registry.shards),
    ask: (question) => askLast(node, question),
    unseal: (session, sealed) => openRenewal(sealer, session, sealed),
    isSuspicious: (backend) => gates.gates.get(backend)?.status().suspicion !== undefined,
    pace: () => config.control.renewalsPerSecond / Math.max(1, controls()),
    grace: config.gateway.grace,
    clock,
    random,
    log,
  });
}
