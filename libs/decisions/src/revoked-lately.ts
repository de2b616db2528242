import type { FoundSession } from '#usher/domain';
import type { CheckContext } from './check-context.js';

/** An edge may ask again so much later than it was told to, ms. */
const ASKED_LATE = 15_000;
/** Who asks about each request hears so long of a denial that came too late for the one it was about, ms. */
const DENIED_LATE = 15_000;

/**
 * Its edge asks only now about a session that was revoked: the hold may be over, and it plays on. Or in such a hurry that
 * its backend's denials come too late: asked about once more, it would be let in once more.
 */
export function isToHear(
  found: FoundSession,
  { asksAgainWithin, habit }: Pick<CheckContext, 'asksAgainWithin' | 'habit'>,
  isHurried: boolean,
  now: number,
): boolean {
  if (found.kind !== 'revoked' && found.kind !== 'none') return false;
  const { revokedAt = Number.NEGATIVE_INFINITY } = found;
  const since = now - revokedAt;
  if (asksAgainWithin !== undefined) return since < asksAgainWithin + ASKED_LATE;
  return habit === 'per-request' && since < DENIED_LATE && isHurried;
}
