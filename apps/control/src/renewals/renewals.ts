import type { BackendConfig } from '#usher/config';
import type { CloseReason, Session } from '#usher/domain';
import { openRenewal } from '#usher/node';
import { RenewalStore } from '#usher/sessions';
import { askLast } from '../ask-last.js';
import type { ControlNode } from '../control-node.js';
import { leasesOf } from '../jobs.js';
import { widthOf } from '../width.js';
import { RefreshedUsers } from './refreshed-users.js';
import { RenewalJob } from './renewal-job.js';

/** Asks again about sessions before their time is up, where it can be asked again. */
export function renewalJob(
  node: ControlNode,
  revoke: (session: Session, reason: CloseReason) => Promise<unknown>,
): RenewalJob {
  const { redis, registry, clock, random, log, config, sealer, membership, gates, news } = node;
  const controls = (): number =>
    membership.nodes().filter(({ role }) => role.split('+').includes('control')).length;
  const pace = (): number => config.control.renewalsPerSecond / Math.max(1, controls());
  const refreshed = new RefreshedUsers(clock);
  news.on('refreshed', (user) => refreshed.note(user));
  return new RenewalJob({
    store: new RenewalStore(redis, clock),
    registry,
    revoke,
    leases: leasesOf(node, 'renewals', registry.shards),
    ask: (question) => askLast(node, question),
    unseal: (session, sealed) => openRenewal(sealer, session, sealed),
    isSuspicious: (backend) => gates.gates.get(backend)?.status().suspicion !== undefined,
    isRefreshed: (session) => refreshed.has(session),
    pace,
    widths: () => widthsOf(config.backends, pace(), controls()),
    grace: config.gateway.grace,
    clock,
    random,
    log,
  });
}

/** Of the backends whose credentials may be used again; see `widthOf`. */
export function widthsOf(
  backends: Readonly<Record<string, Pick<BackendConfig, 'credential' | 'timeout' | 'maxCalls'>>>,
  pace: number,
  controls: number,
): ReadonlyMap<string, number> {
  const reusable = Object.entries(backends).filter(([, { credential }]) => credential === 'reusable');
  return new Map(reusable.map(([name, backend]) => [name, widthOf(backend, pace, controls)]));
}
