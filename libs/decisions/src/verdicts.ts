import type {
  AllowAnswer,
  Clock,
  Decision,
  DenyAnswer,
  Hold,
  HoldOrigin,
  Holds,
  ReasonCode,
  Renewals,
  RuleAllow,
  RuleDenial,
  Session,
  SessionRegistry,
} from '#usher/domain';
import type { CheckContext, Verdict } from './check-context.js';
import { sooner } from './jitter.js';
import type { KnownMemory } from './known-memory.js';
import type { SessionLife } from './session-life.js';
import { askedAgainAt, authorizedUntil, sessionOfAllow, sessionOfDecision, usualTime } from './session-of.js';
import type { TraitsByBackend } from './traits.js';

/** What stands in because of us is asked about again soon, ms. */
const OVERLOAD_KEPT = 5_000;

/** A session whose credential is good for one question is looked up no sooner than after so long, ms. */
const ASKED_ONCE = 3_600_000;

/** Of the users that rules name; no backend has this name. */
export const RULES_NAMESPACE = '_rules';

export interface VerdictTimes extends SessionLife {
  /** What stands in for a backend's decision is kept so long for its own question, ms. */
  readonly grace: number;
  /** A denial is said again so long without asking, ms. */
  readonly denial: number;
}

export interface VerdictParts {
  readonly clock: Clock;
  readonly registry: SessionRegistry;
  readonly known: KnownMemory;
  readonly holds: Holds;
  readonly renewals: Renewals;
  readonly backends: TraitsByBackend;
  readonly times: VerdictTimes;
}

/** Rules that could not be gone by. */
const OUR_TROUBLE: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'rule-busy',
  'rule-keys-missing',
  'rule-broken',
]);

/** Why there may be a hold that lets whoever plays play on. */
export const FOR_NEWCOMERS: ReadonlySet<HoldOrigin> = new Set<HoldOrigin>(['eviction', 'protection']);
/** What does not count for whoever is spared. */
export const PROTECTION: ReadonlySet<HoldOrigin> = new Set<HoldOrigin>(['protection']);

/** Whom a hold on a user is looked up by. */
type Whose = Pick<Session, 'namespace' | 'user' | 'viewerKey'>;

/** What an answer comes to: the decision, how long it may be said again, and the session that is written for it. */
export class Verdicts {
  constructor(private readonly parts: VerdictParts) {}

  /**
   * Rung `hold`. A refusal is kept by nobody: it is found in memory again, and over as soon as it is lifted. Nor does it
   * forget what the backend said: that may count again.
   */
  held(context: CheckContext, hold: Hold): Verdict {
    if (hold.effect === 'refuse') return refusedBy(hold);
    const decision: Decision = { allow: true, source: 'hold', reason: 'held-passed', hold };
    const { clock } = this.parts;
    const until = clock.monotonic() + (hold.until - clock.now());
    // What a backend allowed before stays that: the hold ends some day, and a one-shot token is not asked about again.
    const { previous } = context;
    const session = previous === undefined ? this.open(context, decision) : this.alive(previous);
    return { decision, until, standIn: false, session };
  }

  /**
   * The user is named now: a hold may refuse him; or one that came while the check was under way. A hold after an eviction
   * is for newcomers: whoever was evicted is revoked, and an equal box of his behind the same address has its own place.
   * So is a protection's: whoever plays already was let in by his backend.
   */
  refusal(
    context: CheckContext,
    session: Whose,
    isOpen = context.previous !== undefined,
  ): Verdict | undefined {
    const but = isOpen ? FOR_NEWCOMERS : undefined;
    const hold = this.holdBefore(context, but) ?? this.holdOn(session, but);
    return hold?.effect === 'refuse' ? refusedBy(hold) : undefined;
  }

  /** Rung `rule`. A denial is kept as a backend's is, unless it says more of us than of what the viewer showed. */
  ruledOut({ reason }: RuleDenial): Verdict {
    const until = OUR_TROUBLE.has(reason) ? 0 : this.parts.clock.monotonic() + this.parts.times.denial;
    return { decision: { allow: false, source: 'rule', reason }, until, standIn: false };
  }

  /** Rung `rule`: nobody else is asked. */
  ruledIn(context: CheckContext, { user, sessionName = user, until = 0 }: RuleAllow): Verdict {
    const { check, identity, habit } = context;
    const { backends, clock, times } = this.parts;
    const decision: Decision = { allow: true, source: 'rule', reason: 'rule-allowed', user, sessionName };
    const now = clock.now();
    const opened = sessionOfDecision(check, identity, decision, habit, backends, times, now);
    const session: Session = {
      ...opened,
      namespace: RULES_NAMESPACE,
      authorizedUntil: until || askedAgainAt(habit, check.sessionGiven, now, usualTime(identity)),
    };
    const refused = this.refusal(context, session);
    if (refused !== undefined) return refused;
    this.register(session);
    return { decision, until: this.monotonicUntil(session), standIn: false, session };
  }

  /** Rung `rule`. */
  public(context: CheckContext): Verdict {
    const decision: Decision = { allow: true, source: 'rule', reason: 'public' };
    const session = this.open(context, decision);
    return { decision, until: Number.POSITIVE_INFINITY, standIn: false, session };
  }

  allowed(
    context: CheckContext,
    answer: AllowAnswer,
    source: 'backend' | 'direct' | 'cache',
    registers: boolean,
  ): Verdict {
    const { check, identity, habit } = context;
    const { backends, clock, known, renewals, times } = this.parts;
    const origin = source === 'cache' ? 'backend' : source;
    const now = clock.now();
    const session = sessionOfAllow(check, identity, answer, origin, habit, backends, times, now);
    const refused = this.refusal(context, session);
    if (refused !== undefined) return { ...refused, answer };
    const decision: Decision = {
      allow: true,
      source,
      reason: source === 'cache' ? 'answer-shared' : answer.reason,
      backend: answer.backend,
      user: answer.user,
      sessionName: answer.sessionName,
      maxSessions: answer.maxSessions,
      unique: answer.unique,
      redirect: answer.redirect,
      status: answer.status,
      tookMs: answer.tookMs,
    };
    const grant = {
      user: session.user,
      sessionName: session.sessionName,
      // The whole time: that a session is asked about sooner takes nothing from its credential while nobody can be asked.
      authorizedUntil: authorizedUntil(answer, habit, check.sessionGiven, now),
    };
    if (registers) {
      this.register(session);
      renewals.keep(check, identity, session);
      known.remember(answer.backend, identity.viewerKey, identity.fingerprint, grant).catch(unregistered);
    } else {
      renewals.hold?.(check, identity, session);
      known.rememberHere(answer.backend, identity.viewerKey, identity.fingerprint, grant);
    }
    return { decision, answer, until: this.monotonicUntil(session), standIn: false, session };
  }

  denied(answer: DenyAnswer, source: 'backend' | 'direct' | 'cache'): Verdict {
    const decision: Decision = {
      allow: false,
      source,
      reason: answer.reason,
      backend: answer.backend,
      status: answer.status,
      redirect: answer.redirect,
      tookMs: answer.tookMs,
    };
    // A member of the group could not be asked: nothing unavailable is kept as a denial.
    const isKept = source !== 'cache' && answer.reason !== 'group-partial';
    const until = isKept ? this.parts.clock.monotonic() + this.parts.times.denial : 0;
    return { decision, answer, until, standIn: false };
  }

  /**
   * The time of this session is up, and its backend is asked about a credential once: it goes on, marked so. Another
   * credential would be another fingerprint, and so no session that was allowed before.
   */
  extended(context: CheckContext): Verdict | undefined {
    const { previous, route } = context;
    if (previous === undefined || !route.backends.includes(previous.backend)) return undefined;
    if (this.parts.backends.get(previous.backend)?.credential !== 'once') return undefined;
    const hold = this.holdOn(previous);
    return hold?.effect === 'pass'
      ? this.held(context, hold)
      : this.unconfirmed(context, previous, 'session-extended');
  }

  /** A one-shot token that is refused on a repeated question says nothing about a session that it opened. */
  previousStands(context: CheckContext, answer: DenyAnswer): Verdict | undefined {
    const { previous } = context;
    if (previous === undefined) return undefined;
    const hold = this.holdOn(previous);
    if (hold?.effect === 'pass') return { ...this.held(context, hold), answer };
    // A group's denial carries the group's name; it was one backend that allowed the session.
    const { backends } = this.parts;
    const granter = backends.get(previous.backend) ?? backends.get(answer.backend);
    if (granter?.credential !== 'once') return undefined;
    return { ...this.unconfirmed(context, previous, 'denial-stands'), answer };
  }

  /** Our clock never cuts a viewer. */
  private unconfirmed(
    context: CheckContext,
    previous: Session,
    reason: 'session-extended' | 'denial-stands',
  ): Verdict {
    const session: Session = { ...this.alive(previous), state: 'unconfirmed' };
    const stands = this.stillAllowed(context, session, reason);
    if (stands.decision.allow) this.register(session);
    return stands;
  }

  /** An allow that was given earlier, here or elsewhere. */
  stillAllowed(
    context: CheckContext,
    session: Session,
    reason: 'session-known' | 'session-extended' | 'denial-stands' = 'session-known',
  ): Verdict {
    const refused = this.refusal(context, session, true);
    if (refused !== undefined) return refused;
    const decision: Decision = {
      allow: true,
      source: 'session',
      reason,
      backend: session.backend || undefined,
      user: session.user || undefined,
      sessionName: session.sessionName || undefined,
    };
    this.parts.renewals.hold?.(context.check, context.identity, session);
    const { clock, times } = this.parts;
    const longer = reason === 'session-known' ? times.grace : Math.max(times.grace, ASKED_ONCE);
    const extended = clock.monotonic() + longer;
    const until = session.state === 'unconfirmed' ? extended : this.monotonicUntil(session);
    return { decision, until, standIn: false, session };
  }

  stoodIn(context: CheckContext, decision: Decision, answer?: Verdict['answer']): Verdict {
    // Nothing unavailable is kept as a denial.
    if (!decision.allow) return { decision, answer, until: 0, standIn: true };
    const { backend = '', user = '' } = decision;
    const namespace = this.parts.backends.get(backend)?.namespace ?? backend;
    const refused = this.refusal(context, { namespace, user, viewerKey: context.identity.viewerKey });
    if (refused !== undefined) return { ...refused, answer };
    const session = this.carry(context, decision) ?? this.open(context, decision);
    const { clock, times } = this.parts;
    const most = decision.because === 'us' ? OVERLOAD_KEPT : times.grace;
    const until = clock.monotonic() + sooner(most, context.identity.fingerprint);
    return { decision, answer, until, standIn: true, session };
  }

  /** A session that was allowed and cannot be asked about: extended, and marked so. */
  private carry({ previous }: CheckContext, { source }: Decision): Session | undefined {
    if (previous === undefined || source !== 'stale') return undefined;
    const session: Session = { ...this.alive(previous), state: 'unconfirmed', source };
    this.register(session);
    return session;
  }

  private open(context: CheckContext, decision: Decision): Session {
    const { check, identity, habit } = context;
    const { backends, clock, times } = this.parts;
    const session = sessionOfDecision(check, identity, decision, habit, backends, times, clock.now());
    this.register(session);
    return session;
  }

  /** Told to the cluster without waiting: a viewer never waits for bookkeeping. */
  register(session: Session): void {
    this.parts.registry.open(session).catch(unregistered);
  }

  /** It is asked about, so it lives, however long ago it was opened. */
  alive(session: Session): Session {
    const { clock, times } = this.parts;
    const aliveUntil = clock.now() + times.lifeOf(session.edge, session.presence);
    return { ...session, aliveUntil: Math.max(session.aliveUntil, aliveUntil) };
  }

  /** Rung `hold`: what is known before anybody is asked. */
  holdBefore(
    { check, identity, credential, spared }: CheckContext,
    but: ReadonlySet<HoldOrigin> | undefined = spared === true ? PROTECTION : undefined,
  ): Hold | undefined {
    const { ip, channel, userAgent } = check;
    const { viewerKey } = identity;
    return this.parts.holds.before({ ip, channel, userAgent, viewerKey, credential }, but);
  }

  private holdOn({ namespace, user, viewerKey }: Whose, but?: ReadonlySet<HoldOrigin>): Hold | undefined {
    return this.parts.holds.ofUser(namespace, user, viewerKey, but);
  }

  private monotonicUntil(session: Session): number {
    const { clock } = this.parts;
    if (session.authorizedUntil === 0) return Number.POSITIVE_INFINITY;
    return clock.monotonic() + (session.authorizedUntil - clock.now());
  }
}

function refusedBy(hold: Hold): Verdict {
  return {
    decision: { allow: false, source: 'hold', reason: 'held-refused', hold },
    until: 0,
    standIn: false,
  };
}

/** Redis is away or late: the session is offered again when it is back (healing). */
function unregistered(): void {}
