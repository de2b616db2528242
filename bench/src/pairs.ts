import { median, spread, type Spread } from './statistics.js';

export interface Pair<T> {
  readonly a: T;
  readonly b: T;
}

/**
 * Measures two things in turns: what else the machine does meanwhile meets both. The order changes with each pair, so
 * that neither always runs in the other's wake.
 */
export async function inTurns<T>(
  times: number,
  a: () => Promise<T>,
  b: () => Promise<T>,
): Promise<readonly Pair<T>[]> {
  const pairs: Pair<T>[] = [];
  for (let i = 0; i < times; i += 1) {
    if (i % 2 === 0) {
      const first = await a();
      pairs.push({ a: first, b: await b() });
    } else {
      const first = await b();
      pairs.push({ a: await a(), b: first });
    }
  }
  return pairs;
}

export interface Compared {
  readonly value: number;
  readonly spread: Spread;
  readonly beside: number;
  readonly ratio: number;
  readonly ratioSpread: Spread;
  readonly noisy: boolean;
}

/** Ratios of one run that differ by more than this factor tell of something else than what is compared. */
const STEADY = 1.5;

/** Medians of both, and of the pairs' ratios a / b. */
export function compared(pairs: readonly Pair<number>[]): Compared {
  const ratios = pairs.map(({ a, b }) => a / b);
  const values = pairs.map(({ a }) => a);
  return {
    value: median(values),
    spread: spread(values),
    beside: median(pairs.map(({ b }) => b)),
    ratio: median(ratios),
    ratioSpread: spread(ratios),
    noisy: Math.max(...ratios) > STEADY * Math.min(...ratios),
  };
}

/** One number of each run. */
export function each<T>(pairs: readonly Pair<T>[], number: (run: T) => number): readonly Pair<number>[] {
  return pairs.map(({ a, b }) => ({ a: number(a), b: number(b) }));
}
