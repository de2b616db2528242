import type { BreakerRecord } from './record.js';

/** What processes tell one another about breakers, by broadcast. */
export type BreakerEvent =
  /** A breaker turned: all follow. */
  | { readonly kind: 'breaker.changed'; readonly backend: string; readonly record: BreakerRecord }
  /** One process cannot reach the backend and few others know: `to` makes one call with the same check, and votes. */
  | {
      readonly kind: 'breaker.second-opinion';
      readonly backend: string;
      readonly from: string;
      readonly to: string;
      /** Sealed: it holds a viewer's credential. */
      readonly check: string;
      /** Cluster time, ms: afterwards nobody waits for it. */
      readonly until: number;
    }
  /** `to` asked, and the vote is cast. */
  | { readonly kind: 'breaker.opinion'; readonly backend: string; readonly to: string };
