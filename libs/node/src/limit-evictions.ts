import type { Log, Session, SessionName } from '#usher/domain';
import type { Surplus } from '#usher/sessions';
import type { ClusterHolds } from './cluster-holds.js';

export interface EvictionParts {
  /** Undefined where it is not there any more. */
  readonly read: (name: SessionName) => Promise<Session | undefined>;
  /** Ends the session in the registry, and tells it; that its edge is told to cut follows from that. */
  readonly revoke: (session: Session, reason: 'evicted') => Promise<unknown>;
  readonly holds: Pick<ClusterHolds, 'set'>;
  readonly log: Log;
}

/** Ends sessions that are too many. Rejects while Redis is away or late: they count again soon, and are found again. */
export type Evict = (surplus: Surplus) => Promise<void>;

/** First the hold that refuses the return, then the session is revoked. */
export function evictions({ read, revoke, holds, log }: EvictionParts): Evict {
  const evict = async (surplus: Surplus, name: SessionName): Promise<void> => {
    const session = await read(name);
    // Another one's by now, or somebody ended it already: for him there is a hold.
    if (session?.user !== surplus.user || session.namespace !== surplus.namespace) return;
    if (session.state === 'revoked') return;
    const { namespace, user, viewerKey, edge, sessionId } = session;
    await holds.set({
      kind: 'user-viewer',
      subject: `${namespace}/${user}/${viewerKey}`,
      effect: 'refuse',
      origin: 'eviction',
      by: 'limits',
      reason: `more devices of this user than ${surplus.cap}`,
      time: { lasts: surplus.holdFor },
    });
    await revoke(session, 'evicted');
    log.info(
      { edge, session: sessionId, user, cap: surplus.cap },
      'a session over the cap on devices was evicted',
    );
  };
  return async (surplus) => {
    if (surplus.mode === 'observe') {
      const { user, cap, sessions } = surplus;
      log.info(
        { user, cap, sessions: sessions.length },
        'over the cap on devices: sessions would be evicted',
      );
      return;
    }
    for (const name of surplus.sessions) await evict(surplus, name);
  };
}
