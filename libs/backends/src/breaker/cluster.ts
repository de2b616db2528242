import type { Random } from '#usher/domain';

/** A living process of ours that can call backends. */
export interface Peer {
  readonly id: string;
  /** The machine it runs on: hosts vote, not processes. */
  readonly host: string;
}

/** Who else lives, by heartbeats. Asked often: it answers from memory. */
export interface Cluster {
  readonly self: Peer;
  /** This process's part of what all callers of a backend share (bulkhead, pace), in (0, 1]; of all of them together 1 at most. */
  callShare(backend: string): number;
  /** This process's part of what gateways share (a ramp): 1 divided by the living gateways, in (0, 1]. */
  admitShare(): number;
  /** The other living processes that can call backends: gateways and workers. */
  others(): readonly Peer[];
}

/** A process that is all there is. */
export function lonely(self: Peer): Cluster {
  return { self, callShare: () => 1, admitShare: () => 1, others: () => [] };
}

/** Who is asked for a second opinion: one that has none yet, on another machine if there is one. */
export function anotherOpinion(
  cluster: Cluster,
  voted: ReadonlySet<string>,
  random: Random,
): Peer | undefined {
  const fresh = cluster.others().filter((peer) => !voted.has(peer.id));
  const elsewhere = fresh.filter((peer) => peer.host !== cluster.self.host);
  const from = elsewhere.length > 0 ? elsewhere : fresh;
  return from[Math.floor(random() * from.length)];
}
