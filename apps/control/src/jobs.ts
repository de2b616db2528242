import { controlTypeOf } from '#usher/config';
import { sessionLife } from '#usher/decisions';
import { nodeLimits } from '#usher/node';
import { AstraSessionList, EDGE_GROUPS, Leases, ListJob, Reconciler, SweepJob } from '#usher/sessions';
import type { ListedEdge } from '#usher/sessions';
import type { ControlNode } from './control-node.js';
import { LimitsJob } from './limits-job.js';

/** Reads the session lists of the edges that are configured with a control address. */
export function listJob(node: ControlNode): ListJob {
  const { redis, registry, clock, random, log, config } = node;
  const { lifeOf } = sessionLife(config);
  const life = config.gateway.assumedLife;
  return new ListJob({
    redis,
    clock,
    random,
    log,
    reconciler: new Reconciler(redis, registry, clock, { life, seenLifeOf: (edge) => lifeOf(edge, 'seen') }),
    leases: leasesOf(node, 'lists', EDGE_GROUPS),
    edges: listedEdges(node),
  });
}

/** Closes sessions whose time is up. */
export function sweepJob(node: ControlNode): SweepJob {
  const { redis, registry, clock, log } = node;
  return new SweepJob({ redis, registry, clock, log, leases: leasesOf(node, 'sweep', registry.shards) });
}

/** Counts devices again, where anybody has a cap. */
export function limitsJob(node: ControlNode): LimitsJob {
  const { config, registry, log } = node;
  const mode = config.limits.mode === 'enforce' ? 'enforce' : 'observe';
  const { slots, evict } = nodeLimits(node);
  return new LimitsJob({ slots, evict, mode, log, leases: leasesOf(node, 'limits', registry.shards) });
}

/** A job's parts, divided among the living controls. */
export function leasesOf({ redis, clock, id, membership }: ControlNode, job: string, parts: number): Leases {
  const sharers = (): number =>
    membership.nodes().filter(({ role }) => role.split('+').includes('control')).length;
  return new Leases(redis, clock, { job, parts, owner: id, sharers });
}

/** Only Astra has a list that we can read. */
function listedEdges({ config }: ControlNode): ListedEdge[] {
  const edges: ListedEdge[] = [];
  for (const [name, edge] of Object.entries(config.edges)) {
    const { control, listInterval } = edge;
    if (control === undefined || controlTypeOf(edge) !== 'astra') continue;
    const list = new AstraSessionList(control);
    edges.push({ name, interval: listInterval, read: () => list.read() });
  }
  return edges;
}
