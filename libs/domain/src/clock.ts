/** Time, injected everywhere. Both in milliseconds. */
export interface Clock {
  /** Monotonic, of this process only; for durations and deadlines. Fractions allowed. */
  monotonic(): number;
  /** Cluster time: Unix epoch by Redis' clock; every instant that leaves a process is in it. */
  now(): number;
}

/** Randomness, injected: a number in [0, 1). */
export type Random = () => number;
