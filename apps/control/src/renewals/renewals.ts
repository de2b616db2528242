import type { BackendConfig } from '#usher/config';
import type { CloseReason, Session } from '#usher/domain';
import { openRenewal } from '#usher/node';
import { RenewalStore } from '#usher/sessions';
import { askLast } from '../ask-last.js';
import type { ControlNode } from '../control-node.js';
import { leasesOf } from '../jobs.js';
import { RefreshedUsers } from './refreshed-users.js';
import { RenewalJob } from './renewal-job.js';

/** Of a backend's calls: the rest is left for first checks, which wait for no place. */
const SHARE = 0.5;

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

/**
 * As many as keep to the pace though each answer takes the backend's whole time; no more than are this process's part of
 * half its calls.
 */
export function widthsOf(
  backends: Readonly<Record<string, Pick<BackendConfig, 'credential' | 'timeout' | 'maxCalls'>>>,
  pace: number,
  controls: number,
): ReadonlyMap<string, number> {
  const reusable = Object.entries(backends).filter(([, { credential }]) => credential === 'reusable');
  return new Map(
    reusable.map(([name, { timeout, maxCalls }]) => {
      const most = Math.floor((maxCalls * SHARE) / Math.max(1, controls));
      return [name, Math.max(1, Math.min(Math.ceil((pace * timeout) / 1_000), most))];
    }),
  );
}
