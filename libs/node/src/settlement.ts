import { sessionOfAllow, traitsOf } from '#usher/decisions';
import { DIALECTS } from '#usher/dialects';
import type {
  BackendAnswer,
  Check,
  Clock,
  Identity,
  KnownViewers,
  Log,
  SessionRegistry,
} from '#usher/domain';
import type { Config } from '#usher/config';

export interface SettlementParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: SessionRegistry;
  readonly known: KnownViewers;
  /** Pauses, ms, after which a failed write is tried again. Default AGAIN_AFTER. */
  readonly againAfter?: readonly number[];
}

/**
 * A Redis that was too busy for one command is not away, so nothing would heal what it missed; and a script that it
 * does not know yet takes two round trips. Milliseconds.
 */
const AGAIN_AFTER = [250, 1_000];

/** Writes down what an answer means: the session of an allow, and that its viewer is known. Not waited for. */
export type Settle = (check: Check, identity: Identity, answer: BackendAnswer) => void;

/**
 * Both commands leave in the tick in which it is called: with a worker's reply. What is lost because Redis is away,
 * the gateway that holds the session writes back.
 */
export function settlement({
  config,
  clock,
  log,
  registry,
  known,
  againAfter = AGAIN_AFTER,
}: SettlementParts): Settle {
  const traits = traitsOf(config);
  const write = (id: string, command: () => Promise<void>, tried = 0): void => {
    command().catch((error: unknown) => {
      const pause = againAfter[tried];
      if (pause !== undefined) setTimeout(write, pause, id, command, tried + 1).unref();
      else log.debug({ error, id }, 'a session could not be written; its gateway will');
    });
  };
  const life = { assumedLife: config.gateway.assumedLife };
  return (check, identity, answer) => {
    // What a dialect means that only a later version speaks is known to the gateway that asked.
    if (answer.kind !== 'allow' || !Object.hasOwn(DIALECTS, check.dialect)) return;
    const { habit } = DIALECTS[check.dialect];
    const session = sessionOfAllow(check, identity, answer, 'backend', habit, traits, life, clock.now());
    const { user, sessionName, authorizedUntil } = session;
    const grant = { user, sessionName, authorizedUntil };
    const { viewerKey, fingerprint } = identity;
    write(check.id, () => registry.open(session));
    write(check.id, () => known.remember(answer.backend, viewerKey, fingerprint, grant));
  };
}
