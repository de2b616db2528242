import {
  authorizedUntil,
  credentialOf,
  sessionLife,
  sessionOfAllow,
  traitsOf,
  type BackendTraits,
} from '#usher/decisions';
import { DIALECTS } from '#usher/dialects';
import type {
  BackendAnswer,
  Check,
  Clock,
  HeldFacts,
  HoldOrigin,
  Holds,
  Identity,
  KnownViewers,
  Log,
  Question,
  Renewals,
  SessionRegistry,
} from '#usher/domain';
import type { Config } from '#usher/config';

const PROTECTION: ReadonlySet<HoldOrigin> = new Set<HoldOrigin>(['protection']);

export interface SettlementParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: SessionRegistry;
  readonly known: KnownViewers;
  readonly holds: Holds;
  readonly renewals: Renewals;
}

export type AsAsked = Pick<Question, 'unguarded' | 'canary' | 'unopened' | 'renews'>;

/**
 * Writes down what an answer means: the session of an allow, and that its viewer is known. Not waited for. As it was
 * asked: `unguarded`, the answer goes to the edge as it is, whatever holds say, and nobody asks again; `unopened`, who asked
 * opens the session; `renews`, it is the session that is there; `canary`, it is nobody's.
 */
export type Settle = (check: Check, identity: Identity, answer: BackendAnswer, asked?: AsAsked) => void;

/**
 * Both commands leave in the tick in which it is called: right after a worker's reply. What is lost because Redis is away,
 * the gateway that holds the session writes back.
 */
export function settlement({
  config,
  clock,
  log,
  registry,
  known,
  holds,
  renewals,
}: SettlementParts): Settle {
  const traits = traitsOf(config);
  const life = sessionLife(config);
  return (check, identity, answer, { unguarded = false, canary = false, unopened = false, renews } = {}) => {
    // What a dialect means that only a later version speaks is known to the gateway that asked.
    if (canary || answer.kind !== 'allow' || !Object.hasOwn(DIALECTS, check.dialect)) return;
    // Who publishes watches nothing, and is known as nobody who does.
    if (check.action === 'publish') return;
    const { habit } = DIALECTS[check.dialect];
    const now = clock.now();
    const session = {
      ...sessionOfAllow(check, identity, answer, 'backend', habit, traits, life, now),
      ...renews,
    };
    const { namespace, user, sessionName } = session;
    const until = authorizedUntil(answer, habit, check.sessionGiven, now);
    const grant = { user, sessionName, authorizedUntil: until };
    const { viewerKey, fingerprint } = identity;
    const failed = (error: unknown): void =>
      log.debug({ error, id: check.id }, 'a session could not be written; its gateway will');
    // A hold may have come while it was asked.
    // Whoever was asked about in spite of a protection's hold was spared by it.
    const before = holds.before(factsOf(check, viewerKey, traits.get(answer.backend)), PROTECTION);
    const hold = before ?? holds.ofUser(namespace, user, viewerKey);
    if (!unopened && (unguarded || hold?.effect !== 'refuse')) {
      registry.open(session).catch(failed);
      if (!unguarded) renewals.keep(check, identity, session);
    }
    known.remember(answer.backend, viewerKey, fingerprint, grant).catch(failed);
  };
}

function factsOf(check: Check, viewerKey: string, traits?: BackendTraits): HeldFacts {
  const { ip, channel, userAgent } = check;
  return { ip, channel, userAgent, viewerKey, credential: credentialOf(check, [traits]) };
}
