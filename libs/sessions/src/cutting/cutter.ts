import type { Session } from '#usher/domain';
import type { CutResult } from './cut-result.js';

/** Tells one edge to end a session. */
export interface Cutter {
  /** Never rejects: what goes wrong is in the result. `signal` ends it early, as a failure. */
  cut(session: Session, signal: AbortSignal): Promise<CutResult>;
}
