import type { Clock } from '#usher/domain';
import { LRUCache } from 'lru-cache';

/** Of a limit this part has to be seen here before the cluster is told: of ordinary viewers nothing is written. */
const TOLD_FROM = 1 / 8;
/** More than come anew with one. */
const FORGOTTEN_AT_ONCE = 2;
/** Where nobody's window was over it is looked again after this, ms. */
const LOOK_EVERY = 100;
/** One thing is nothing peculiar. */
const FEWEST = 2;

interface Suspect {
  readonly until: number;
  readonly things: Set<string>;
  /** Those of which the cluster was not told yet. */
  untold: string[];
}

export interface LocalLimit {
  readonly limit: number;
  /** Milliseconds. */
  readonly window: number;
}

/**
 * What this gateway alone saw of suspects: bounded in suspects, in what is remembered of each and of all together. Those of
 * whom it is heard no more are forgotten when their windows are over.
 */
export class LocalCounts {
  readonly #suspects: LRUCache<string, Suspect>;
  /** All that is remembered of all. */
  #things = 0;
  #lookAt = 0;

  constructor(
    private readonly clock: Clock,
    suspects: number,
    private readonly mostThings: number,
  ) {
    const dispose = ({ things }: Suspect): void => void (this.#things -= things.size);
    this.#suspects = new LRUCache({ max: suspects, dispose });
  }

  /** Notes one thing. Returns what the cluster is to be told of; mostly nothing. */
  add(name: string, thing: string, { limit, window }: LocalLimit): readonly string[] {
    this.#forgetOld();
    const suspect = this.#suspect(name, window);
    const { things } = suspect;
    // Who is over the limit here is over it in the cluster.
    if (things.size > limit || things.has(thing)) return [];
    things.add(thing);
    suspect.untold.push(thing);
    this.#things += 1;
    while (this.#things > this.mostThings) this.#suspects.pop();
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

  /** All that is remembered. */
  get things(): number {
    return this.#things;
  }

  /** Of whom it was not heard for the longest time: some with each thing that is noted. */
  #forgetOld(): void {
    const now = this.clock.monotonic();
    if (now < this.#lookAt) return;
    for (let i = 0; i < FORGOTTEN_AT_ONCE; i += 1) {
      const [name] = this.#suspects.rkeys();
      const oldest = name === undefined ? undefined : this.#suspects.peek(name);
      if (name === undefined || oldest === undefined || oldest.until > now) {
        this.#lookAt = now + LOOK_EVERY;
        return;
      }
      this.#suspects.delete(name);
    }
  }

  #suspect(name: string, window: number): Suspect {
    const now = this.clock.monotonic();
    const known = this.#suspects.get(name);
    if (known !== undefined && known.until > now) return known;
    const fresh: Suspect = { until: now + window, things: new Set(), untold: [] };
    this.#suspects.set(name, fresh);
    return fresh;
  }
}
