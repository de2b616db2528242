import { readReport, reportOfAll, type GuardReport } from '#usher/backends';
import type { Membership, Node as Member } from '#usher/bus';

/** What guards tell in heartbeats. */
const GUARDS = 'guards';

/** What the guards of all other processes tell, as this process knows it. */
export interface ClusterGuards {
  /** Together; undefined: none of them has anything to tell, or Redis is away. Asked often: it answers from memory. */
  ofOthers(backend: string): GuardReport | undefined;
  /** What this process tells from now on. */
  tell(reports: () => Readonly<Record<string, GuardReport>>): void;
}

export function clusterGuards(
  membership: Pick<Membership, 'nodes' | 'alone' | 'self' | 'provide'>,
): ClusterGuards {
  /** A table is replaced by the next heartbeat, and never changed. */
  let table: readonly Member[] | undefined;
  const known = new Map<string, GuardReport | undefined>();
  return {
    ofOthers: (backend) => {
      if (membership.alone) return undefined;
      const members = membership.nodes();
      if (members !== table) known.clear();
      table = members;
      if (!known.has(backend)) known.set(backend, reportOf(members, membership.self, backend));
      return known.get(backend);
    },
    tell: (reports) => membership.provide(GUARDS, reports),
  };
}

function reportOf(members: readonly Member[], self: string, backend: string): GuardReport | undefined {
  const others = members.filter(({ id }) => id !== self);
  return reportOfAll(others.flatMap(({ info }) => told(info[GUARDS], backend) ?? []));
}

function told(guards: unknown, backend: string): GuardReport | undefined {
  if (typeof guards !== 'object' || guards === null || !Object.hasOwn(guards, backend)) return undefined;
  return readReport((guards as Readonly<Record<string, unknown>>)[backend]);
}
