import type { Cluster, Peer } from '#usher/backends';
import type { Membership, Node as Member } from '#usher/bus';

/** What a process does; `start all` does all of it. */
export type Role = 'gateway' | 'worker' | 'control';

/** Of what the cluster may call so much is kept for the gateways together while workers live: for what none of them takes. */
const GATEWAYS = 1 / 8;
/** So much for processes that only control: canaries, and what is asked in the background where no worker lives. */
const CONTROLS = 1 / 32;
/** The pattern of questions to workers; the lane is the backend. */
const CHECK = 'check';

const has = (member: Member, role: Role): boolean => member.role.split('+').includes(role);

/** What a process is when calls are divided. */
function callerOf(member: Member): Role {
  return (['worker', 'gateway', 'control'] as const).find((role) => has(member, role)) ?? 'control';
}

/** A worker that does not reach the backend, or ends, has no lane for it; one that begins has told of none yet. */
function takes(member: Member, backend: string): boolean {
  const lanes = member.info['lanes'] as Readonly<Record<string, number>> | undefined;
  return lanes === undefined || lanes[`${CHECK}:${backend}`] !== undefined;
}

/**
 * Who else lives, by heartbeats, as the breakers and bulkheads want it. The shares of all who can call a backend come to 1
 * at most: workers divide it, but for a small part of the gateways, who call only what no worker takes, and have all of
 * it where no worker takes anything.
 */
export function peersOf(membership: Pick<Membership, 'nodes'>, self: Peer, roles: readonly Role[]): Cluster {
  const mine = callerOf({ role: roles.join('+') } as Member);
  const count = (role: Role): number =>
    membership.nodes().reduce((sum, member) => sum + (has(member, role) ? 1 : 0), 0);
  return {
    self,
    callShare: (backend) => shareOf(mine, membership.nodes(), self.id, backend),
    admitShare: () => 1 / Math.max(1, count('gateway')),
    others: () =>
      membership
        .nodes()
        .filter((member) => member.id !== self.id && (has(member, 'gateway') || has(member, 'worker')))
        .map(({ id, host }) => ({ id, host })),
  };
}

function shareOf(mine: Role, members: readonly Member[], self: string, backend: string): number {
  // Its own heartbeat may not be among them yet.
  const callers = { worker: 0, gateway: 0, control: 0, [mine]: 1 };
  for (const member of members) {
    if (member.id === self) continue;
    const caller = callerOf(member);
    if (caller !== 'worker' || takes(member, backend)) callers[caller] += 1;
  }
  const { worker, gateway, control } = callers;
  const controls = control === 0 ? 0 : worker + gateway === 0 ? 1 : CONTROLS;
  const gateways = gateway === 0 ? 0 : worker === 0 ? 1 - controls : GATEWAYS;
  const parts = { worker: 1 - controls - gateways, gateway: gateways, control: controls };
  return parts[mine] / callers[mine];
}
