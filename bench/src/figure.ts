import type { Spread } from './statistics.js';

/** One figure of the benchmark: medians over repetitions. */
export interface Figure {
  readonly value: number;
  readonly unit: string;
  /** Of the value, over the repetitions. */
  readonly spread: Spread;
  /** What it is compared with, measured in the same unit, in turns with the value. */
  readonly beside?: number;
  readonly besideWhat?: string;
  /** The median of the pairs' ratios: value over beside. */
  readonly ratio?: number;
  readonly ratioSpread?: Spread;
  readonly aim?: Aim;
  /** The repetitions differ so much that the machine was measured, not Usher. */
  readonly noisy?: boolean;
  /** What else the runs told, by name. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface Aim {
  /** As a person reads it: `ratio ≥ 0.75`. */
  readonly text: string;
  readonly met: boolean;
}

export type Figures = Readonly<Record<string, Figure>>;

/** How much is done for each figure. */
export interface Effort {
  readonly name: 'full' | 'quick';
  /** Of each measurement; pairs, where two things are compared. */
  readonly repetitions: number;
  /** Of one measurement. */
  readonly seconds: number;
  /** Of these, at the start, not measured. */
  readonly warm: number;
  /** Sessions that memory is measured with. */
  readonly sessions: number;
  /** Kicks, and holds, that are followed to the gateways. */
  readonly changes: number;
  /** Sessions that are asked about again. */
  readonly renewals: number;
}

export const FULL: Effort = {
  name: 'full',
  repetitions: 5,
  seconds: 4,
  warm: 1,
  sessions: 100_000,
  changes: 200,
  renewals: 5_000,
};
export const QUICK: Effort = {
  name: 'quick',
  repetitions: 3,
  seconds: 1,
  warm: 0.4,
  sessions: 5_000,
  changes: 30,
  renewals: 1_000,
};
