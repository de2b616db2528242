import { maskedPath } from '#usher/domain';
import type { AllowAnswer, AskingHabit, Check, Decision, Identity, Session } from '#usher/domain';
import { sooner } from './jitter.js';
import type { SessionLife } from './session-life.js';
import type { TraitsByBackend } from './traits.js';

/** Where an edge asks again by itself, or names no session, and the backend gave no X-AuthDuration, ms; of a session up to a tenth less. */
export const ASKED_AGAIN_AFTER = 180_000;

/**
 * Until when an allow holds: cluster time, ms; 0 = as long as the session lives. Where nobody says, `usual` ms on an edge
 * that asks again.
 */
export function authorizedUntil(
  answer: AllowAnswer,
  habit: AskingHabit,
  sessionGiven: boolean,
  now: number,
  usual = ASKED_AGAIN_AFTER,
): number {
  const { authDuration, until } = answer;
  const at =
    authDuration === undefined ? askedAgainAt(habit, sessionGiven, now, usual) : now + authDuration * 1000;
  return until === undefined || (at !== 0 && at < until) ? at : until;
}

/** Where nobody says how long it holds: cluster time, ms; 0 = as long as the session lives. */
export function askedAgainAt(habit: AskingHabit, sessionGiven: boolean, now: number, usual: number): number {
  // Whose id is derived plays the same session for ever: one that ended cannot be told from one that goes on.
  return habit === 'once' && sessionGiven ? 0 : now + usual;
}

/** The usual time of a session: viewers who came together are not asked about together. */
export const usualTime = ({ fingerprint }: Identity): number => sooner(ASKED_AGAIN_AFTER, fingerprint);

/** The session that a backend's allow opens: the same wherever it is built, in a worker or in a gateway. */
export function sessionOfAllow(
  check: Check,
  identity: Identity,
  answer: AllowAnswer,
  source: Session['source'],
  habit: AskingHabit,
  backends: TraitsByBackend,
  life: SessionLife,
  now: number,
): Session {
  return sessionOf(check, identity, habit, life, now, {
    backend: answer.backend,
    namespace: backends.get(answer.backend)?.namespace ?? answer.backend,
    user: answer.user ?? '',
    sessionName: answer.sessionName ?? '',
    state: 'active',
    source,
    authorizedUntil: authorizedUntil(answer, habit, check.sessionGiven, now, usualTime(identity)),
  });
}

/** The session of a decision that no backend gave: public, carried, known or on trust. */
export function sessionOfDecision(
  check: Check,
  identity: Identity,
  decision: Decision,
  habit: AskingHabit,
  backends: TraitsByBackend,
  life: SessionLife,
  now: number,
): Session {
  const backend = decision.backend ?? '';
  return sessionOf(check, identity, habit, life, now, {
    backend,
    namespace: backends.get(backend)?.namespace ?? backend,
    user: decision.user ?? '',
    sessionName: decision.sessionName ?? '',
    state: decision.source === 'fail-open' || decision.source === 'overload' ? 'on-trust' : 'active',
    source: decision.source,
    authorizedUntil: 0,
  });
}

type Granted = Pick<
  Session,
  'backend' | 'namespace' | 'user' | 'sessionName' | 'state' | 'source' | 'authorizedUntil'
>;

/** Field by field: objects of this size that are put together of others cost fifty times as much (measured). */
function sessionOf(
  check: Check,
  identity: Identity,
  habit: AskingHabit,
  life: SessionLife,
  now: number,
  granted: Granted,
): Session {
  const presence = habit === 'once' ? 'assumed' : 'seen';
  return {
    edge: check.edge,
    sessionId: check.sessionId,
    fingerprint: identity.fingerprint,
    viewerKey: identity.viewerKey,
    channel: check.channel,
    ip: check.ip,
    userAgent: check.userAgent,
    host: check.host,
    path: maskedPath(check.path),
    protocol: check.protocol || undefined,
    dialect: check.dialect,
    backend: granted.backend,
    namespace: granted.namespace,
    user: granted.user,
    sessionName: granted.sessionName,
    state: granted.state,
    source: granted.source,
    presence,
    openedAt: now,
    authorizedUntil: granted.authorizedUntil,
    aliveUntil: now + life.lifeOf(check.edge, presence),
  };
}
