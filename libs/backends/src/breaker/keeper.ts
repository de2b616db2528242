import type { BreakerRecord, Turn } from './record.js';
import type { Opinion } from './sensor.js';

/** One process's vote. Hosts are counted, each once: see tally.ts. */
export interface Ballot {
  readonly host: string;
  readonly node: string;
  readonly opinion: Opinion;
  /** Calls that ended in the window. */
  readonly calls: number;
  /** Calls a second of this process, to know afterwards what the backend carried. */
  readonly rate: number;
}

export interface BallotBox {
  readonly record: BreakerRecord;
  /** Those of the last 10 s. */
  readonly ballots: readonly Ballot[];
}

/**
 * Who keeps one backend's record: Redis for the cluster, memory for a process that is alone. Methods reject when
 * Redis is away or late.
 */
export interface BreakerKeeper {
  /** Reads the truth; with a ballot, casts it first. */
  look(ballot?: Ballot): Promise<BallotBox>;
  /**
   * Turns the record if it is still the one of epoch `from` and, where a lease is named, if that is still held.
   * Leases and old ballots end with it. Undefined: somebody was first; look again.
   */
  turn(from: number, next: Turn, lease?: string): Promise<BreakerRecord | undefined>;
  /** Takes the one lease of a half-open breaker for `ms`; false if somebody holds it. */
  takeLease(lease: string, ms: number): Promise<boolean>;
  /** Gives a lease back without a result. */
  dropLease(lease: string): Promise<void>;
}
