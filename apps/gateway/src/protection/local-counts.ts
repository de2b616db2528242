import type { Clock } from '#usher/domain';
import { LRUCache } from 'lru-cache';

/** Of a limit this part has to be seen here before the cluster is told: of ordinary viewers nothing is written. */
const TOLD_FROM = 1 / 8;
/** One thing is nothing peculiar. */
const FEWEST = 2;

interface Suspect {
  readonly since: number;
  readonly things: Set<string>;
  /** Those of which the cluster was not told yet. */
  untold: string[];
}

export interface LocalLimit {
  readonly limit: number;
  /** Milliseconds. */
  readonly window: number;
}

/** What this gateway alone saw of suspects: bounded in suspects, and of each in what is remembered of him. */
export class LocalCounts {
  readonly #suspects: LRUCache<string, Suspect>;

  constructor(
    private readonly clock: Clock,
    suspects: number,
  ) {
    this.#suspects = new LRUCache({ max: suspects });
  }

  /** Notes one thing. Returns what the cluster is to be told of; mostly nothing. */
  add(name: string, thing: string, { limit, window }: LocalLimit): readonly string[] {
    const suspect = this.#suspect(name, window);
    const { things } = suspect;
    // Who is over the limit here is over it in the cluster.
    if (things.size > limit || things.has(thing)) return [];
    things.add(thing);
    suspect.untold.push(thing);
    if (things.size < Math.max(FEWEST, Math.ceil(limit * TOLD_FROM))) return [];
    const told = suspect.untold;
    suspect.untold = [];
    return told;
  }

  forget(name: string): void {
    this.#suspects.delete(name);
  }

  get size(): number {
    return this.#suspects.size;
  }

  #suspect(name: string, window: number): Suspect {
    const now = this.clock.monotonic();
    const known = this.#suspects.get(name);
    if (known !== undefined && known.since + window > now) return known;
    const fresh: Suspect = { since: now, things: new Set(), untold: [] };
    this.#suspects.set(name, fresh);
    return fresh;
  }
}
