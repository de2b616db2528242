import type { CloseReason, Session } from '#usher/domain';
import type { ControlNode } from './control-node.js';

/** Undefined where the session is gone, or another one has its name. Rejects as Redis does. */
export type Revoke = (session: Session, reason: CloseReason) => Promise<Session | undefined>;

/** Ends a session: every gateway forgets it, and its edge is told to cut by the event of it. */
export function revoking({ registry }: Pick<ControlNode, 'registry'>): Revoke {
  return (session, reason) => registry.revoke(session, reason, { fingerprint: session.fingerprint });
}
