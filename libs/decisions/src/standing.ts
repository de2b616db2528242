import type { Session, Source } from '#usher/domain';

/** What let a session in that no backend allowed. */
const UNDECIDED: ReadonlySet<Source> = new Set(['fail-open', 'overload', 'known', 'rule', 'hold']);

/** A backend allowed it once: not on trust, nor only because its viewer was known or its channel public. */
export function wasAllowed({ state, source }: Session): boolean {
  return state !== 'revoked' && state !== 'on-trust' && !UNDECIDED.has(source);
}

/** It may be answered without asking. What was only carried through an outage is asked about. */
export function isRunning(session: Session, now: number): boolean {
  return (
    session.state === 'active' &&
    session.source !== 'stale' &&
    (session.authorizedUntil === 0 || session.authorizedUntil > now)
  );
}
