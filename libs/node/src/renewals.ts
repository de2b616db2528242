import type { TraitsByBackend } from '#usher/decisions';
import type {
  Check,
  Clock,
  Identity,
  Log,
  Random,
  Renewal,
  Renewals,
  Session,
  SessionName,
} from '#usher/domain';
import type { Sealer } from '#usher/redis';
import type { RedisSessionRegistry, RenewalStore, RenewedSession } from '#usher/sessions';
import { patientRenewals } from './patient-writes.js';

/** A session is asked about so long before its time is up, ms, or a tenth of that time where that is less. */
const LEAD = 60_000;

export interface RenewalsParts {
  readonly store: Pick<RenewalStore, 'keep' | 'offer'>;
  readonly registry: Pick<RedisSessionRegistry, 'shardOf'>;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly traits: TraitsByBackend;
  readonly log: Log;
}

/** The sealed question of a session, and when it is to be asked. */
export interface SealedRenewal {
  readonly shard: string;
  readonly name: RenewedSession;
  readonly sealed: string;
  /** Cluster time, ms. */
  readonly dueAt: number;
}

export interface ClusterRenewals extends Renewals {
  /** What `keep` keeps. Undefined where nothing is asked again. */
  seal(check: Check, identity: Identity, session: Session): SealedRenewal | undefined;
  /** Tried again where Redis was too busy. Not waited for. */
  put(renewal: SealedRenewal): void;
  /** To a Redis that may have lost it: what is there stays as it is. Rejects as Redis does. */
  offer(renewal: SealedRenewal): Promise<void>;
}

/** Raised only for a change that version N-1 could not read. */
const VERSION = 1;
const contextOf = ({ edge, sessionId }: SessionName): string => `renewal ${edge}/${sessionId}`;

/**
 * Keeps the question of each session whose backend may be asked again with the same credential, so that control asks
 * before its time is up. The times are spread, so that sessions that began together do not come due together.
 */
export function renewals(parts: RenewalsParts): ClusterRenewals {
  const { registry, sealer, clock, random, traits, log } = parts;
  const store = patientRenewals(parts.store);
  const put = ({ shard, name, sealed, dueAt }: SealedRenewal): void => {
    store
      .keep(shard, name, sealed, dueAt)
      .catch((error: unknown) =>
        log.debug({ error }, 'a session will not be renewed until it is offered back'),
      );
  };
  const seal: ClusterRenewals['seal'] = (check, identity, session) => {
    const { backend, authorizedUntil, edge, sessionId, aliveUntil } = session;
    if (authorizedUntil === 0 || traits.get(backend)?.credential !== 'reusable') return undefined;
    const left = authorizedUntil - clock.now();
    if (left <= 0) return undefined;
    const dueAt = authorizedUntil - Math.min(LEAD, left / 10) * (1 + random());
    const renewal: Renewal = { check, identity, backend };
    const sealed = sealer.seal(JSON.stringify({ v: VERSION, ...renewal }), contextOf(session));
    return { shard: registry.shardOf(session), name: { edge, sessionId, aliveUntil }, sealed, dueAt };
  };
  return {
    seal,
    put,
    keep: (...session) => {
      const renewal = seal(...session);
      if (renewal !== undefined) put(renewal);
    },
    offer: ({ shard, name, sealed, dueAt }) => {
      // Many came due meanwhile: not all at once.
      const now = clock.now();
      return parts.store.offer(shard, name, sealed, dueAt > now ? dueAt : now + LEAD * random());
    },
  };
}

/** Undefined for what was not sealed for this session under one of our secrets, or is of a version that we cannot read. */
export function openRenewal(sealer: Sealer, session: Pick<Session, 'edge' | 'sessionId'>, sealed: string) {
  const text = sealer.open(sealed, contextOf(session));
  if (text === undefined) return undefined;
  // What opens was sealed by one of us.
  const { v, ...renewal } = JSON.parse(text) as Renewal & { v: number };
  return v === VERSION ? (renewal as Renewal) : undefined;
}
