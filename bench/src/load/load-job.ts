import type { Latency } from '../statistics.js';

/** One run of the generator, in its own process. */
export interface LoadJob {
  /** On loopback. */
  readonly port: number;
  readonly connections: number;
  /** Numbers of the viewers: from `first`, `count` of them in turn, over and over. */
  readonly first: number;
  readonly count: number;
  /** Who asks: an edge at a gateway (by default), or the viewers themselves at a proxy. */
  readonly asker?: 'edge' | 'viewer';
  readonly loop: ClosedLoop | OpenLoop;
}

/** Each connection asks again as soon as it is answered: gives the rate that the server is capable of. */
export interface ClosedLoop {
  readonly kind: 'closed';
  /** Seconds; not measured for the first `warm` of them. Undefined: each viewer asks once. */
  readonly seconds?: number;
  readonly warm?: number;
}

/**
 * Checks are due at fixed times, whatever becomes of the others: gives latencies as edges see them. They count from
 * the time that the check was due, so a server that stalls is charged for all whom it kept waiting.
 */
export interface OpenLoop {
  readonly kind: 'open';
  /** Checks a second. */
  readonly rate: number;
  readonly seconds: number;
  /** Seconds at the start that are not measured. */
  readonly warm: number;
}

export interface LoadReport {
  /** Answered 200 in the measured time. */
  readonly answered: number;
  /** Answers of any other status, at any time. */
  readonly refused: number;
  /** Checks answered a second. */
  readonly rate: number;
  readonly latency: Latency;
  /** Of viewers, how many different ones have asked. */
  readonly viewers: number;
  /** The generator's own share of one core in the measured time: near 1 it measures itself. */
  readonly generatorBusy: number;
}
