/** The least and the most that the repetitions gave. */
export interface Spread {
  readonly min: number;
  readonly max: number;
}

/** The middle one; of an even number the mean of the two in the middle. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const [below, above] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return below === undefined || above === undefined ? Number.NaN : (below + above) / 2;
}

export function spread(values: readonly number[]): Spread {
  return { min: Math.min(...values), max: Math.max(...values) };
}

/** The value that `share` of the sorted samples do not exceed (nearest rank). NaN of nothing. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** How many of these instants lie in the window of this width that holds most of them; its end is no part of it. */
export function mostWithin(instants: readonly number[], width: number): number {
  const sorted = Float64Array.from(instants).sort();
  let most = 0;
  for (let first = 0, end = 0; first < sorted.length; first += 1) {
    while (end < sorted.length && sorted[end]! < sorted[first]! + width) end += 1;
    most = Math.max(most, end - first);
  }
  return most;
}

/** Milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Latencies as they come in; room for more is made rarely. */
export class Samples {
  #values = new Float64Array(65_536);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count] = value;
    this.#count += 1;
  }

  latency(): Latency {
    const sorted = this.#values.slice(0, this.#count).sort();
    const [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1].map((share) => percentile(sorted, share));
    return { p50: p50!, p99: p99!, p999: p999!, max: max! };
  }
}
