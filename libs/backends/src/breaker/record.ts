/** closed: asked. suspended: nobody asks. half-open: one probe at a time. ramping: a growing part is asked. */
export type BreakerState = 'closed' | 'suspended' | 'half-open' | 'ramping';

/** What is true of one backend's breaker, for the whole cluster or, while Redis is away, for this process. */
export interface BreakerRecord {
  readonly state: BreakerState;
  /** Grows with every turn; 0 = nothing is written yet. */
  readonly epoch: number;
  /** Cluster time of the last turn, ms. */
  readonly since: number;
  /** Cluster time at which the outage began, ms; 0 while closed. */
  readonly downSince: number;
  /** Calls a second that the backend carried before it was suspended. */
  readonly rateBefore: number;
  /** Good probes in this half-open state. */
  readonly goodProbes: number;
  /** Which step of RAMP, while ramping. */
  readonly step: number;
  /** The process that turned it. */
  readonly by: string;
}

/** The part of a record that a turn sets; the keeper adds epoch and times. */
export type Turn = Pick<BreakerRecord, 'state' | 'rateBefore' | 'goodProbes' | 'step'>;

/** Parts of the former rate that are let through, step by step. */
export const RAMP = [0.1, 0.25, 0.5, 1] as const;

export const UNWRITTEN: BreakerRecord = {
  state: 'closed',
  epoch: 0,
  since: 0,
  downSince: 0,
  rateBefore: 0,
  goodProbes: 0,
  step: 0,
  by: '',
};

const STATES: ReadonlySet<unknown> = new Set<BreakerState>(['closed', 'suspended', 'half-open', 'ramping']);
const NUMBERS = ['epoch', 'since', 'downSince', 'rateBefore', 'goodProbes', 'step'] as const;

/** Whether what another process wrote is a record that this version can follow. */
export function isRecord(data: unknown): data is BreakerRecord {
  if (typeof data !== 'object' || data === null) return false;
  const record = data as Record<string, unknown>;
  return STATES.has(record['state']) && NUMBERS.every((field) => Number.isFinite(record[field]));
}

/** A verdict against the backend. A relapse keeps the rate of before the outage: the ramp's own says nothing. */
export function suspend(record: BreakerRecord, rate: number): Turn {
  const rateBefore = record.state === 'closed' ? rate : record.rateBefore;
  return { state: 'suspended', rateBefore, goodProbes: 0, step: 0 };
}

/** A probe came back. Undefined where the state wants no probe any longer. */
export function afterProbe(record: BreakerRecord, good: boolean, probes: number): Turn | undefined {
  if (record.state !== 'half-open') return undefined;
  if (!good) return suspend(record, 0);
  const goodProbes = record.goodProbes + 1;
  const state = goodProbes >= probes ? 'ramping' : 'half-open';
  return { state, rateBefore: record.rateBefore, goodProbes, step: 0 };
}

/** After how many ms the passing of time alone turns it; undefined: never. */
export function turnsAfter(
  record: BreakerRecord,
  config: { readonly openFor: number; readonly rampStep: number },
): number | undefined {
  if (record.state === 'suspended') return config.openFor;
  return record.state === 'ramping' ? config.rampStep : undefined;
}

/** What the passing of time turns it to. */
export function afterTime(record: BreakerRecord): Turn {
  const { rateBefore, goodProbes } = record;
  if (record.state === 'suspended') return { state: 'half-open', rateBefore, goodProbes: 0, step: 0 };
  const step = record.step + 1;
  return step < RAMP.length
    ? { state: 'ramping', rateBefore, goodProbes, step }
    : { state: 'closed', rateBefore: 0, goodProbes: 0, step: 0 };
}
