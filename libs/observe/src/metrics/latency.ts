/** Upper bounds in ms; a cached answer takes microseconds, a deadline is seconds. */
const BOUNDS_MS = [
  0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 1_500, 2_000, 2_500, 5_000,
] as const;

/** A bucket as it is scraped: how many took at most so long, in seconds. */
export interface Bucket {
  readonly le: number;
  readonly count: number;
}

/** How long something took, in fixed buckets of plain numbers: `observe` allocates nothing. */
export class Latency {
  readonly #counts = new Float64Array(BOUNDS_MS.length + 1);
  #sum = 0;

  /** One observation, ms; one that stands for several counts as so many. */
  observe(ms: number, times = 1): void {
    let bucket = 0;
    while (bucket < BOUNDS_MS.length && ms > BOUNDS_MS[bucket]!) bucket += 1;
    this.#counts[bucket]! += times;
    this.#sum += ms * times;
  }

  /** Seconds, all together. */
  get sum(): number {
    return this.#sum / 1_000;
  }

  get count(): number {
    return this.#counts.reduce((all, one) => all + one, 0);
  }

  /** Cumulative, ascending, the last one for everything (`+Inf`). */
  buckets(): Bucket[] {
    let count = 0;
    return Array.from(this.#counts, (one, i) => {
      count += one;
      return { le: i < BOUNDS_MS.length ? BOUNDS_MS[i]! / 1_000 : Infinity, count };
    });
  }
}

const OTHER = 'other';

/** Latencies by one label, whose values are a bounded set of words; what comes beyond the bound is `other`. */
export class LatencyFamily {
  readonly #max: number;
  readonly #members = new Map<string, Latency>();

  constructor(max = 200) {
    this.#max = max;
  }

  /** Keep the result where it is used often. */
  of(value: string): Latency {
    const found = this.#members.get(value);
    if (found !== undefined) return found;
    if (this.#members.size >= this.#max && value !== OTHER) return this.of(OTHER);
    const made = new Latency();
    this.#members.set(value, made);
    return made;
  }

  entries(): IterableIterator<[string, Latency]> {
    return this.#members.entries();
  }
}
