import type { CloseReason, Session } from '#usher/domain';
import type { ControlNode } from './control-node.js';

/** Undefined where the session is gone, or another one has its name. Rejects as Redis does. */
export type Revoke = (session: Session, reason: CloseReason) => Promise<Session | undefined>;

/**
 * Ends a session: every gateway forgets it, and its edge is told to cut by the event of it. Whom his backend refuses is a
 * known viewer no more: the next outage would let him in.
 */
export function revoking({ registry, denyViewer }: Pick<ControlNode, 'registry' | 'denyViewer'>): Revoke {
  return async (session, reason) => {
    // First: where Redis is late then, the session is asked about again.
    if (reason === 'denied-on-recheck') await denyViewer(session);
    return registry.revoke(session, reason, { fingerprint: session.fingerprint });
  };
}
