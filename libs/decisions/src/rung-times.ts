/** The rungs that take time; each has its share of the deadline. */
export type TimedRung = 'registry' | 'backend' | 'direct' | 'stand-in';

/** Where each rung's time is noted. Milliseconds; allocates nothing. */
export interface RungTimes {
  took(rung: TimedRung, ms: number): void;
}
