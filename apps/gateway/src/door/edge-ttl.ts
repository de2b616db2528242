import { sooner, wasAllowed, type Settled } from '#usher/decisions';
import type { Decision } from '#usher/domain';

/** An edge that asks again is never told to do it sooner, seconds. */
const SHORTEST = 5;
/** Nor told to rely on us for longer, ms: a kick waits for the next question. */
const LONGEST = 180_000;

export interface EdgeTtls {
  /** What stands in for a decision is asked about again after so long, ms. */
  readonly grace: number;
  /** A denial is asked about again after so long, ms: whoever paid meanwhile is not kept out. */
  readonly denial: number;
}

/**
 * How long the edge may rely on an answer, seconds: never longer than its own `ttl` (ms), 3 min, the time that the
 * decision has left, and `grace` where it only stands in for one; of an allow that holds for longer up to a tenth less, so
 * that viewers who came together do not come due together. `now` is monotonic, ms. Undefined: the edge knows best.
 */
export function edgeTtl(
  { decision, kept, answer }: Settled,
  ttl: number,
  now: number,
  ttls: EdgeTtls,
): number | undefined {
  // Mode observe: as the backend says, or a token that is good once would be asked about again.
  if (decision.verbatim === true) return answer?.kind === 'allow' ? answer.authDuration : undefined;
  const most = Math.min(ttl, LONGEST, decision.allow ? Infinity : ttls.denial);
  const standIn = decision.because === undefined ? most : Math.min(most, ttls.grace);
  return Math.max(SHORTEST, Math.floor(leftOf(decision, kept, standIn, now) / 1000));
}

/** Of the `most` that the edge may be told, ms. */
function leftOf({ allow }: Decision, kept: Settled['kept'], most: number, now: number): number {
  // Asked about a denial any sooner we would say it once more, and whoever paid meanwhile would wait twice.
  if (!allow || kept === undefined) return most;
  const left = kept.until - now;
  // Any sooner it would ask twice. By the fingerprint, so that what is remembered of an answer stays as it is.
  return left <= most ? left : sooner(most, kept.fingerprint);
}

/**
 * What is left of the time that the backend gave (X-AuthDuration), seconds, for an edge that ends the session by itself
 * then. Undefined where it gave none, or where something stands in for its decision: no clock of ours cuts a viewer.
 */
export function grantedTtl({ decision, kept, answer }: Settled, now: number): number | undefined {
  if (!decision.allow || decision.because !== undefined || decision.hold !== undefined) return undefined;
  if (decision.verbatim === true) return answer?.kind === 'allow' ? answer.authDuration : undefined;
  const session = kept?.session;
  if (kept === undefined || session?.state !== 'active' || !wasAllowed(session)) return undefined;
  return Number.isFinite(kept.until) ? Math.max(1, Math.ceil((kept.until - now) / 1000)) : undefined;
}
