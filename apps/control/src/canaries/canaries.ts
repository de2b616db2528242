import { CanaryKeeper, type CanarySuspicion } from '#usher/backends';
import type { CanariesConfig } from '#usher/config';
import { tellSuspicion } from '#usher/node';
import { askLast } from '../ask-last.js';
import type { ControlNode } from '../control-node.js';
import { leasesOf } from '../jobs.js';
import { CANARY_PARTS, CanaryJob } from './canary-job.js';

/** Sends the canaries of the backends that have any. */
export function canaryJob(node: ControlNode): CanaryJob {
  const { id, redis, clock, random, log, config, gates, switches, canaries, owed } = node;
  const onTurn = (backend: string, suspicion: CanarySuspicion | undefined): void => {
    void canaries.changed();
    tellSuspicion({ events: owed, by: id }, 'canaries', backend, suspicion).catch((error: unknown) =>
      log.debug({ error }, 'a suspicion could not be told'),
    );
  };
  return new CanaryJob({
    backends: new Map(Object.entries(config.backends).flatMap(withCanaries)),
    keeper: new CanaryKeeper(redis),
    leases: leasesOf(node, 'canaries', CANARY_PARTS),
    ask: (question) => askLast(node, question),
    resting: (backend) => {
      if (switches.ofBackend(backend) !== undefined) return 'switched';
      const state = gates.gates.get(backend)?.status().state;
      return state === 'suspended' || state === 'half-open' ? 'suspended' : undefined;
    },
    onTurn,
    clock,
    random,
    log,
  });
}

function withCanaries([name, { canaries }]: [string, { readonly canaries?: CanariesConfig }]): [
  string,
  CanariesConfig,
][] {
  return canaries === undefined ? [] : [[name, canaries]];
}
