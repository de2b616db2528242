import type { Session } from '#usher/domain';
import type { CutResult } from './cut-result.js';

/** What became of each session of a page, in its order; undefined: it was not come to. */
export type CutResults = readonly (CutResult | undefined)[];

/** Tells one edge to end sessions. */
export interface Cutter {
  /** Never rejects: what goes wrong is in the result. `signal` ends it early, as a failure. */
  cut(session: Session, signal: AbortSignal): Promise<CutResult>;
  /** The same of a page of its sessions. */
  cutAll(sessions: readonly Session[], signal: AbortSignal): Promise<CutResults>;
}
