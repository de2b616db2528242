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

/** Most show one thing alone, and there are several of them for each new viewer: one needs no set. */
interface Suspect {
  readonly until: number;
  readonly first: string;
  /** The others. */
  more: Set<string> | undefined;
}

const sizeOf = ({ more }: Suspect): number => 1 + (more?.size ?? 0);
const has = ({ first, more }: Suspect, thing: string): boolean =>
  thing === first || more?.has(thing) === true;

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
    const dispose = (suspect: Suspect): void => void (this.#things -= sizeOf(suspect));
    this.#suspects = new LRUCache({ max: suspects, dispose });
  }

  /** Notes one thing. Returns what the cluster is to be told of, mostly nothing: first all that there is, then each. */
  add(name: string, thing: string, { limit, window }: LocalLimit): readonly string[] {
    this.#forgetOld();
    const now = this.clock.monotonic();
    const suspect = this.#suspects.get(name);
    if (suspect === undefined || suspect.until <= now) {
      this.#suspects.set(name, { until: now + window, first: thing, more: undefined });
      this.#grown();
      return [];
    }
    // Who is over the limit here is over it in the cluster.
    if (sizeOf(suspect) > limit || has(suspect, thing)) return [];
    suspect.more ??= new Set();
    suspect.more.add(thing);
    this.#grown();
    const from = Math.max(FEWEST, Math.ceil(limit * TOLD_FROM));
    if (sizeOf(suspect) < from) return [];
    return sizeOf(suspect) === from ? [suspect.first, ...suspect.more] : [thing];
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

  #grown(): void {
    this.#things += 1;
    while (this.#things > this.mostThings) this.#suspects.pop();
  }
}
