import type { Cluster, Peer } from '#usher/backends';
import type { Membership, Node as Member } from '#usher/bus';

/** What a process does; `start all` does all of it. */
export type Role = 'gateway' | 'worker' | 'control';

const has = (member: Member, role: Role): boolean => member.role.split('+').includes(role);

/**
 * Who else lives, by heartbeats, as the breakers and bulkheads want it. Workers share what the cluster may call; a
 * gateway calls only what no worker takes, with the part of a worker, or with all of it where no worker lives.
 */
export function peersOf(membership: Membership, self: Peer, roles: readonly Role[]): Cluster {
  const count = (role: Role): number =>
    membership.nodes().reduce((sum, member) => sum + (has(member, role) ? 1 : 0), 0);
  const isWorker = roles.includes('worker');
  return {
    self,
    callShare: () => {
      const workers = count('worker');
      if (isWorker) return 1 / Math.max(1, workers);
      return 1 / Math.max(1, workers === 0 ? count('gateway') : workers + count('gateway'));
    },
    admitShare: () => 1 / Math.max(1, count('gateway')),
    others: () =>
      membership
        .nodes()
        .filter((member) => member.id !== self.id && (has(member, 'gateway') || has(member, 'worker')))
        .map(({ id, host }) => ({ id, host })),
  };
}
