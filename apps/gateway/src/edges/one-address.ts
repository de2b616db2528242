import type { Log } from '#usher/domain';

/** While no edge is configured anybody private may name one. */
const MAX_EDGES = 1_000;
/** So many sessions of one edge from one address are no household. */
const SUSPICIOUS = 200;

interface Seen {
  address: string;
  sessions: number;
}

/**
 * Finds a common mistake: a load balancer between an edge and us (or the edge's own proxy) that sets X-Real-IP, so that
 * all viewers seem to come from one address. Said once for each edge.
 */
export function oneAddressWatch(log: Log): (edge: string, address: string) => void {
  const edges = new Map<string, Seen>();
  return (edge, address) => {
    const seen = edges.get(edge);
    if (seen === undefined) {
      if (edges.size < MAX_EDGES) edges.set(edge, { address, sessions: 1 });
    } else if (seen.address !== address) seen.sessions = Number.NEGATIVE_INFINITY;
    else if ((seen.sessions += 1) === SUSPICIOUS) {
      log.warn(
        { edge, ip: address, sessions: SUSPICIOUS },
        `all viewers of ${edge} come from one address: does a proxy in between set X-Real-IP?`,
      );
    }
  };
}
