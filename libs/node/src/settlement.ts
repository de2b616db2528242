import { sessionOfAllow, traitsOf } from '#usher/decisions';
import { DIALECTS } from '#usher/dialects';
import type {
  BackendAnswer,
  Check,
  Clock,
  Holds,
  Identity,
  KnownViewers,
  Log,
  Question,
  Renewals,
  SessionRegistry,
} from '#usher/domain';
import type { Config } from '#usher/config';

export interface SettlementParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: SessionRegistry;
  readonly known: KnownViewers;
  readonly holds: Holds;
  readonly renewals: Renewals;
}

/**
 * Writes down what an answer means: the session of an allow, and that its viewer is known. Not waited for. As it was
 * asked: `unguarded`, the answer goes to the edge as it is, whatever holds say; `unopened`, who asked opens the session.
 */
export type Settle = (
  check: Check,
  identity: Identity,
  answer: BackendAnswer,
  asked?: Pick<Question, 'unguarded' | 'unopened'>,
) => void;

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
  const life = { assumedLife: config.gateway.assumedLife };
  return (check, identity, answer, { unguarded = false, unopened = false } = {}) => {
    // What a dialect means that only a later version speaks is known to the gateway that asked.
    if (answer.kind !== 'allow' || !Object.hasOwn(DIALECTS, check.dialect)) return;
    const { habit } = DIALECTS[check.dialect];
    const session = sessionOfAllow(check, identity, answer, 'backend', habit, traits, life, clock.now());
    const { namespace, user, sessionName, authorizedUntil } = session;
    const grant = { user, sessionName, authorizedUntil };
    const { viewerKey, fingerprint } = identity;
    const failed = (error: unknown): void =>
      log.debug({ error, id: check.id }, 'a session could not be written; its gateway will');
    const isHeld = !unguarded && holds.ofUser(namespace, user, viewerKey)?.effect === 'refuse';
    if (!isHeld && !unopened) {
      registry.open(session).catch(failed);
      renewals.keep(check, identity, session);
    }
    known.remember(answer.backend, viewerKey, fingerprint, grant).catch(failed);
  };
}
