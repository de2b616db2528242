import type { CloseReason, SessionName } from '#usher/domain';

/** A session that is to be cut: no other one that may come under its name. */
export interface CutOrder extends SessionName {
  readonly fingerprint: string;
  readonly reason: CloseReason;
  /** Where its events are; left out by older controls. */
  readonly shard?: string;
  /** Cluster time, ms. */
  readonly requestedAt: number;
}

/** How it ended. */
export type CutOutcome =
  /** Its edge ended it. */
  | { readonly kind: 'cut' }
  /** It had ended by itself, or another one has its name now. */
  | { readonly kind: 'gone' }
  /** Its edge cannot be told to cut. */
  | { readonly kind: 'cannot'; readonly detail: string }
  /** Its edge did not do it; `detail` is for people, without credentials. */
  | { readonly kind: 'given-up'; readonly detail: string };

/** Told of each order how it ended, at least once. What it rejects with makes the order be tried again. */
export type OnCut = (order: CutOrder, outcome: CutOutcome) => Promise<void> | void;
