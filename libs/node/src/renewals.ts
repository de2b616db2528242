import type { TraitsByBackend } from '#usher/decisions';
import type { Clock, Log, Random, Renewal, Renewals, Session, SessionName } from '#usher/domain';
import type { Sealer } from '#usher/redis';
import type { RedisSessionRegistry, RenewalStore } from '#usher/sessions';
import { patientRenewals } from './patient-writes.js';

/** A session is asked about so long before its time is up, ms, or a tenth of that time where that is less. */
const LEAD = 60_000;

export interface RenewalsParts {
  readonly store: Pick<RenewalStore, 'keep'>;
  readonly registry: Pick<RedisSessionRegistry, 'shardOf'>;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly traits: TraitsByBackend;
  readonly log: Log;
}

/** Raised only for a change that version N-1 could not read. */
const VERSION = 1;
const contextOf = ({ edge, sessionId }: SessionName): string => `renewal ${edge}/${sessionId}`;

/**
 * Keeps the question of each session whose backend may be asked again with the same credential, so that control asks
 * before its time is up. The times are spread, so that sessions that began together do not come due together.
 */
export function renewals(parts: RenewalsParts): Renewals {
  const { registry, sealer, clock, random, traits, log } = parts;
  const store = patientRenewals(parts.store);
  return {
    keep: (check, identity, session) => {
      const { backend, authorizedUntil } = session;
      if (authorizedUntil === 0 || traits.get(backend)?.credential !== 'reusable') return;
      const left = authorizedUntil - clock.now();
      if (left <= 0) return;
      const dueAt = authorizedUntil - Math.min(LEAD, left / 10) * (1 + random());
      const renewal: Renewal = { check, identity, backend };
      const sealed = sealer.seal(JSON.stringify({ v: VERSION, ...renewal }), contextOf(session));
      store
        .keep(registry.shardOf(session), session, sealed, dueAt)
        .catch((error: unknown) => log.debug({ error }, 'a session will not be renewed in the background'));
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
