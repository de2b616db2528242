import type { Check, Identity, Renewals, Session, SessionName } from '#usher/domain';
import type { ClusterRenewals, SealedRenewal } from '#usher/node';
import { LRUCache } from 'lru-cache';

/** All questions that are held, characters: some 50,000 of the usual ones. */
const MOST_CHARACTERS = 64 * 1024 * 1024;

interface Held {
  readonly renewal: SealedRenewal;
  readonly fingerprint: string;
  readonly authorizedUntil: number;
}

/**
 * The questions of this gateway's sessions that are asked about again, sealed as they are in Redis, for a Redis that
 * lost them. Bounded: the oldest are forgotten, and are then asked about when their edges ask.
 */
export class HeldRenewals implements Renewals {
  readonly #held: LRUCache<string, Held>;

  constructor(
    private readonly renewals: Pick<ClusterRenewals, 'seal' | 'put' | 'offer'>,
    maxSize = MOST_CHARACTERS,
  ) {
    this.#held = new LRUCache({
      maxSize,
      sizeCalculation: ({ renewal }, name) => renewal.sealed.length + name.length,
    });
  }

  get size(): number {
    return this.#held.size;
  }

  keep(check: Check, identity: Identity, session: Session): void {
    const renewal = this.#seal(check, identity, session);
    if (renewal !== undefined) this.renewals.put(renewal);
  }

  hold(check: Check, identity: Identity, session: Session): void {
    const held = this.#held.get(nameOf(session));
    const { fingerprint, authorizedUntil } = session;
    if (held?.fingerprint === fingerprint && held.authorizedUntil === authorizedUntil) return;
    this.#seal(check, identity, session);
  }

  /** The session is over. */
  drop(name: SessionName): void {
    this.#held.delete(nameOf(name));
  }

  /** Gives the question of a session back; what Redis has stays as it is. Undefined where none is held; rejects as Redis. */
  offer(session: Session): Promise<void> | undefined {
    const held = this.#held.peek(nameOf(session));
    return held?.fingerprint === session.fingerprint ? this.renewals.offer(held.renewal) : undefined;
  }

  #seal(check: Check, identity: Identity, session: Session): SealedRenewal | undefined {
    const renewal = this.renewals.seal(check, identity, session);
    const { fingerprint, authorizedUntil } = session;
    if (renewal === undefined) this.drop(session);
    else this.#held.set(nameOf(session), { renewal, fingerprint, authorizedUntil });
    return renewal;
  }
}

/** A session id may hold anything, but is the last part. */
const nameOf = ({ edge, sessionId }: SessionName): string => `${edge}/${sessionId}`;
