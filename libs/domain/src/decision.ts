import type { Because, Redirect } from './answer.js';
import type { Hold } from './hold.js';
import type { ReasonCode } from './reason.js';

/** Which rung of the ladder answered. */
export type Source =
  | 'hold'
  | 'rule'
  | 'cache'
  | 'session'
  | 'backend'
  | 'direct'
  | 'stale'
  | 'known'
  | 'fail-open'
  | 'fail-closed'
  | 'overload';

/** What the edge is told, in our words; a dialect renders it in the edge's. */
export interface Decision {
  readonly allow: boolean;
  readonly source: Source;
  readonly reason: ReasonCode;
  /** The backend that decided, or that could not be asked; none for rules. */
  readonly backend?: string;
  readonly user?: string;
  readonly sessionName?: string;
  /** The backend's own status of a denial. */
  readonly status?: number;
  readonly redirect?: Redirect;
  /** Set when no decision could be had and this is what stands in for one. */
  readonly because?: Because;
  /** It stands in because an operator switched the backend or route: that is no outage. */
  readonly switched?: boolean;
  /** Seconds the edge may rely on it, where the edge's dialect can say so. */
  readonly edgeTtl?: number;
  /** What the backend's answer says, for an edge that enforces it itself. */
  readonly maxSessions?: number;
  readonly unique?: boolean;
  /** Source `hold`: the hold that decided. */
  readonly hold?: Hold;
  /** The backend's time for this check, ms, where it was asked. */
  readonly tookMs?: number;
  /** Mode observe: the backend's own status as it is, its failure included. */
  readonly verbatim?: boolean;
  /** Mode observe with no answer at all: the connection is closed unanswered, as it would be without us. */
  readonly silent?: boolean;
}

/** True when nobody who knows was asked or could answer: such a decision is announced and settled afterwards. */
export function isOnTrust(decision: Decision): boolean {
  return decision.allow && (decision.source === 'fail-open' || decision.source === 'overload');
}
