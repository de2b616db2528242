import type { Clock, Log } from '#usher/domain';

/** While no edge is configured anybody private may name one. */
const MAX_EDGES = 1_000;
/** So many sessions of one edge in a row from one address are no household. */
const SUSPICIOUS = 200;
/** An edge that had other viewers before may have one who asks that often; not for so long with nobody else, ms. */
const WINDOW = 600_000;

interface Seen {
  address: string;
  /** In a row, and since when: monotonic, ms. */
  sessions: number;
  since: number;
  /** It had viewers with other addresses. */
  hadOthers: boolean;
  told: boolean;
}

/**
 * Finds a common mistake: a load balancer between an edge and us (or the edge's own proxy) that sets X-Real-IP, so that
 * all viewers seem to come from one address. Said once for each edge, whenever that begins.
 */
export function oneAddressWatch(
  log: Pick<Log, 'warn'>,
  clock: Pick<Clock, 'monotonic'>,
): (edge: string, address: string) => void {
  const edges = new Map<string, Seen>();
  return (edge, address) => {
    const seen = edges.get(edge);
    if (seen === undefined) {
      const since = clock.monotonic();
      if (edges.size < MAX_EDGES)
        edges.set(edge, { address, sessions: 1, since, hadOthers: false, told: false });
    } else if (seen.address !== address) {
      Object.assign(seen, { address, sessions: 1, since: clock.monotonic(), hadOthers: true });
    } else {
      seen.sessions += 1;
      if (seen.told || seen.sessions < SUSPICIOUS) return;
      if (seen.hadOthers && clock.monotonic() - seen.since < WINDOW) return;
      seen.told = true;
      log.warn(
        { edge, ip: address, sessions: seen.sessions },
        `all viewers of ${edge} come from one address: does a proxy in between set X-Real-IP?`,
      );
    }
  };
}
