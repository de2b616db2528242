import type { CanaryName } from './canary-check.js';

/** Answers to viewers that are clean and yet unlike a backend that works. */
export interface ShareSuspicion {
  /** `known-denied`: it refuses those whom it knew; `all-allowed`: it refuses almost nobody any longer. */
  readonly kind: 'known-denied' | 'all-allowed';
  /** Percent of the last minute's answers that are denials: of known viewers, or overall. */
  readonly percent: number;
  /** … and usually, in the last hours. */
  readonly usualPercent: number;
  /** The last minute's answers: to known viewers, or overall. */
  readonly answers: number;
  /** Cluster time, ms. */
  readonly since: number;
}

/** Answers to canaries that are wrong. */
export interface CanarySuspicion {
  readonly kind: 'canary';
  /** `allow`: the must-allow is denied; `deny`: the must-deny is allowed. At least one. */
  readonly wrong: readonly CanaryName[];
  /** Those of them that were answered rightly once: the others may themselves be wrong, and are only announced. */
  readonly proven: readonly CanaryName[];
  /** Cluster time, ms. */
  readonly since: number;
  /** Cluster time, ms: unless it is renewed it ends then. */
  readonly until: number;
}

export type Suspicion = ShareSuspicion | CanarySuspicion;

/** Another version may know other kinds. */
export function isShareSuspicion(value: unknown): value is ShareSuspicion {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, percent, usualPercent, answers, since } = value as Readonly<Record<string, unknown>>;
  const isKnown = kind === 'known-denied' || kind === 'all-allowed';
  return isKnown && [percent, usualPercent, answers, since].every((count) => Number.isFinite(count));
}

/** Why this answer is not to be believed, as a sentence about the backend; undefined: it is. */
export function disbelief(answer: 'allow' | 'deny', suspicion: Suspicion): string | undefined {
  switch (suspicion.kind) {
    case 'known-denied':
      return answer === 'deny' ? 'it refuses viewers whom it knew' : undefined;
    case 'all-allowed':
      return answer === 'allow' ? 'it refuses almost nobody any longer' : undefined;
    case 'canary':
      if (answer === 'allow')
        return suspicion.proven.includes('deny') ? 'it allows its must-deny canary' : undefined;
      return suspicion.proven.includes('allow') ? 'it refuses its must-allow canary' : undefined;
  }
}
