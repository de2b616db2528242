import type { CloseReason, SessionName } from '#usher/domain';

/** Sessions of one order. */
export const PAGE = 100;

/** A session that is to be cut: no other one that may come under its name. */
export interface CutSession extends SessionName {
  readonly fingerprint: string;
  readonly reason: CloseReason;
  /** Where its events are; left out by older controls. */
  readonly shard?: string | undefined;
}

/** Sessions of one edge that are to be cut. */
export interface CutOrder {
  readonly edge: string;
  readonly sessions: readonly Omit<CutSession, 'edge'>[];
  /** Cluster time, ms. */
  readonly requestedAt: number;
}

/** As version N-1 orders it: one session. */
export type SingleOrder = CutSession & Pick<CutOrder, 'requestedAt'>;

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

/** Told of each session how it ended, at least once. What it rejects with makes it be tried again. */
export type OnCut = (session: CutSession, outcome: CutOutcome) => Promise<void> | void;

/** Pages of sessions, each of one edge, in their order. */
export function ordersOf(sessions: readonly CutSession[], requestedAt: number): CutOrder[] {
  const orders: CutOrder[] = [];
  for (const edge of new Set(sessions.map((session) => session.edge))) {
    const named = sessions.filter((session) => session.edge === edge).map(withoutEdge);
    for (let from = 0; from < named.length; from += PAGE)
      orders.push({ edge, sessions: named.slice(from, from + PAGE), requestedAt });
  }
  return orders;
}

function withoutEdge({ sessionId, fingerprint, reason, shard }: CutSession): Omit<CutSession, 'edge'> {
  return { sessionId, fingerprint, reason, ...(shard === undefined ? {} : { shard }) };
}

/** An order of this version, or of N-1. */
export function readOrder(data: CutOrder | SingleOrder): CutOrder {
  return 'sessions' in data ? data : ordersOf([data], data.requestedAt)[0]!;
}
