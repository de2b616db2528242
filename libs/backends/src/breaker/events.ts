import { type BreakerRecord, isRecord } from './record.js';

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

/** Reads what came over the bus; undefined where it is no event that this version understands. */
export function readBreakerEvent(data: unknown): BreakerEvent | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const event = data as Record<string, unknown>;
  const texts = (...fields: string[]): boolean => fields.every((field) => typeof event[field] === 'string');
  switch (event['kind']) {
    case 'breaker.changed':
      return texts('backend') && isRecord(event['record']) ? (data as BreakerEvent) : undefined;
    case 'breaker.second-opinion':
      return texts('backend', 'from', 'to', 'check') && Number.isFinite(event['until'])
        ? (data as BreakerEvent)
        : undefined;
    case 'breaker.opinion':
      return texts('backend', 'to') ? (data as BreakerEvent) : undefined;
    default:
      return undefined;
  }
}
