import type {
  AllowAnswer,
  Clock,
  Decision,
  DenyAnswer,
  FoundSession,
  Session,
  SessionRegistry,
  UnavailableAnswer,
} from '#usher/domain';
import type { Asker, Asking } from './asking.js';
import type { CheckContext, Settled, Verdict } from './check-context.js';
import { keptName, type Kept, type KeptDecisions } from './kept-decisions.js';
import type { KnownMemory } from './known-memory.js';
import { sessionOfAllow, sessionOfDecision, type SessionLife } from './session-of.js';
import type { SharedAnswers } from './shared-answers.js';
import type { SingleFlight } from './single-flight.js';
import type { StandIn } from './stand-in.js';
import type { TraitsByBackend } from './traits.js';

/** Kept apart from the deadline, so that the answer is on the wire before the edge gives up, ms; an eighth at most. */
const MARGIN = 25;
/** What stands in because of us is asked about again soon, ms. */
const OVERLOAD_KEPT = 5_000;

export interface LadderTimes extends SessionLife {
  /** What stands in for a backend's decision is kept so long for its own question, ms. */
  readonly grace: number;
  /** A denial is said again so long without asking, ms. */
  readonly denial: number;
}

export interface LadderParts {
  readonly clock: Clock;
  readonly registry: SessionRegistry;
  readonly asker: Asker;
  readonly kept: KeptDecisions;
  readonly shared: SharedAnswers;
  readonly flights: SingleFlight<Asking>;
  readonly known: KnownMemory;
  readonly standIn: StandIn;
  readonly backends: TraitsByBackend;
  /** Every input that the target's backends see; equal keys are the same question. */
  readonly questionKey: (context: CheckContext, target: string) => string;
  readonly times: LadderTimes;
}

/** The life of a check: each rung answers, or passes it on. Every check is answered within its deadline. */
export class Ladder {
  constructor(private readonly parts: LadderParts) {}

  /** Never rejects. A climb that outlives the deadline goes on, and its late answer settles the session. */
  async decide(context: CheckContext): Promise<Settled> {
    const untilDeadline = context.deadline - this.parts.clock.monotonic();
    const timeLeft = untilDeadline - Math.min(MARGIN, untilDeadline / 8);
    let timer: NodeJS.Timeout | undefined;
    const outOfTime = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, timeLeft), undefined);
    });
    try {
      return (await Promise.race([this.climb(context), outOfTime])) ?? this.timeIsUp(context);
    } catch (error) {
      const broken = unavailableBecauseUs(
        context,
        'internal',
        error instanceof Error ? error.message : 'unknown',
      );
      return this.settle(
        context,
        this.stoodIn(context, this.parts.standIn.decideNow(context, broken), broken),
      );
    } finally {
      clearTimeout(timer);
    }
  }

  /** No route matches: a gap in our configuration, never the viewer's fault. Kept for nobody. */
  unrouted(context: CheckContext): Settled {
    const gap = unavailableBecauseUs(context, 'no-route', 'no route matches this check');
    return { decision: { ...this.parts.standIn.decideNow(context, gap), reason: 'no-route' }, answer: gap };
  }

  private async climb(context: CheckContext): Promise<Settled> {
    const mine = this.keptHere(context);
    if (mine !== undefined) return { decision: mine.decision, kept: mine };
    return this.settle(context, await this.verdict(context));
  }

  private async verdict(context: CheckContext): Promise<Verdict> {
    const { target } = context.route;
    if (target === undefined) return this.public(context);
    const shared = this.parts.shared.find(this.parts.questionKey(context, target));
    // The same question was answered a moment ago; the session is opened by itself.
    if (shared?.kind === 'allow') return this.allowed(context, shared, 'cache', true);
    // A denial that others got says nothing about a session that was allowed elsewhere.
    const elsewhere = await this.keptElsewhere(context);
    if (elsewhere !== undefined) return elsewhere;
    if (shared === undefined) return this.asked(context, target);
    return this.previousStands(context, shared) ?? this.denied(shared, 'cache');
  }

  /** What may be said again is kept under the session's name; a stand-in keeps saying what it is. */
  private settle(context: CheckContext, verdict: Verdict): Settled {
    const { decision, answer, until, standIn, session } = verdict;
    const { kept } = this.parts;
    if (until === 0) return { decision, answer };
    const mine: Kept = {
      name: keptName(context.check.edge, context.check.sessionId),
      fingerprint: context.identity.fingerprint,
      decision: standIn ? decision : { ...decision, source: 'cache' },
      session,
      standIn,
      until,
      generation: kept.generation,
      seen: false,
    };
    if (session !== undefined) kept.keep(mine);
    return { decision, answer, kept: mine };
  }

  /** Rung `rule`. */
  private public(context: CheckContext): Verdict {
    const decision: Decision = { allow: true, source: 'rule', reason: 'public' };
    const session = this.open(context, decision);
    return { decision, until: Number.POSITIVE_INFINITY, standIn: false, session };
  }

  /** Rung `cache`: this session's own allow. One that is too old is remembered as `previous`. */
  private keptHere(context: CheckContext): Kept | undefined {
    const { kept } = this.parts;
    const mine = kept.find(
      keptName(context.check.edge, context.check.sessionId),
      context.identity.fingerprint,
    );
    if (mine === undefined) return undefined;
    if (kept.isFresh(mine)) {
      kept.note(mine);
      return mine;
    }
    if (mine.session !== undefined && wasAllowed(mine.session)) context.previous = mine.session;
    return undefined;
  }

  /** Rung `session`: another gateway may have decided. */
  private async keptElsewhere(context: CheckContext): Promise<Verdict | undefined> {
    try {
      const found = await this.parts.registry.find(context.check, context.identity.fingerprint);
      return this.foundElsewhere(context, found);
    } catch {
      context.registryFailed = true;
      return this.standsWhileAway(context);
    }
  }

  private foundElsewhere(context: CheckContext, found: FoundSession): Verdict | undefined {
    if (found.kind === 'same') {
      const { session } = found;
      if (!wasAllowed(session)) return undefined;
      context.previous = session;
      return isRunning(session, this.parts.clock.now()) ? this.stillAllowed(session) : undefined;
    }
    // Absence is never a denial: what this process holds and the registry lacks is written back.
    const mine = context.previous;
    if (found.kind === 'none' && mine !== undefined && isRunning(mine, this.parts.clock.now())) {
      this.register(this.alive(mine));
      return this.stillAllowed(mine);
    }
    if (found.kind === 'other') context.previous = undefined;
    return undefined;
  }

  /** While Redis is away entries stand. */
  private standsWhileAway(context: CheckContext): Verdict | undefined {
    const mine = context.previous;
    return mine !== undefined && isRunning(mine, this.parts.clock.now())
      ? this.stillAllowed(mine)
      : undefined;
  }

  /** Rungs `backend` and `direct`, and what stands in for them. */
  private async asked(context: CheckContext, target: string): Promise<Verdict> {
    const key = this.parts.questionKey(context, target);
    const ask = (): Promise<Asking> => this.parts.asker.ask(context, target);
    let flight = await this.parts.flights.share(key, ask);
    // The time of the one who asked was up; there may be some left here.
    if (!flight.leader && isOutOfTime(flight.value)) flight = await this.parts.flights.share(key, ask);
    const { leader, value } = flight;
    const { answer, source } = value;
    if (answer.kind === 'unavailable') return this.standIn(context, answer);
    const credential = this.parts.backends.get(answer.backend)?.credential ?? 'once';
    this.parts.shared.keep(key, answer, credential);
    // The worker opened its question's session together with the reply.
    if (answer.kind === 'allow')
      return this.allowed(context, answer, source, !(leader && source === 'backend'));
    if (context.registryFailed) await this.keptElsewhere(context);
    const known = await this.parts.standIn.unlessKnown(context, answer);
    if (known !== undefined) return this.stoodIn(context, known, answer);
    return this.previousStands(context, answer) ?? this.denied(answer, source);
  }

  private allowed(
    context: CheckContext,
    answer: AllowAnswer,
    source: 'backend' | 'direct' | 'cache',
    registers: boolean,
  ): Verdict {
    const { check, identity, habit } = context;
    const { backends, clock, known, times } = this.parts;
    const origin = source === 'cache' ? 'backend' : source;
    const session = sessionOfAllow(check, identity, answer, origin, habit, backends, times, clock.now());
    const decision: Decision = {
      allow: true,
      source,
      reason: source === 'cache' ? 'answer-shared' : answer.reason,
      backend: answer.backend,
      user: answer.user,
      sessionName: answer.sessionName,
      redirect: answer.redirect,
      status: answer.status,
      tookMs: answer.tookMs,
    };
    const grant = {
      user: session.user,
      sessionName: session.sessionName,
      authorizedUntil: session.authorizedUntil,
    };
    if (registers) {
      this.register(session);
      known.remember(answer.backend, identity.viewerKey, identity.fingerprint, grant).catch(unregistered);
    } else {
      known.rememberHere(answer.backend, identity.viewerKey, identity.fingerprint, grant);
    }
    return { decision, answer, until: this.monotonicUntil(session), standIn: false, session };
  }

  private denied(answer: DenyAnswer, source: 'backend' | 'direct' | 'cache'): Verdict {
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

  /** A one-shot token that is refused on a repeated question says nothing about a session that it opened. */
  private previousStands(context: CheckContext, answer: DenyAnswer): Verdict | undefined {
    const { previous } = context;
    if (previous === undefined) return undefined;
    // A group's denial carries the group's name; it was one backend that allowed the session.
    const { backends } = this.parts;
    const granter = backends.get(previous.backend) ?? backends.get(answer.backend);
    if (granter?.credential !== 'once') return undefined;
    const session: Session = { ...this.alive(previous), state: 'unconfirmed' };
    this.register(session);
    return { ...this.stillAllowed(session, 'denial-stands'), answer };
  }

  /** An allow that was given earlier, here or elsewhere. */
  private stillAllowed(
    session: Session,
    reason: 'session-known' | 'denial-stands' = 'session-known',
  ): Verdict {
    const decision: Decision = {
      allow: true,
      source: 'session',
      reason,
      backend: session.backend || undefined,
      user: session.user || undefined,
      sessionName: session.sessionName || undefined,
    };
    const { clock, times } = this.parts;
    const extended = clock.monotonic() + times.grace;
    const until = session.state === 'unconfirmed' ? extended : this.monotonicUntil(session);
    return { decision, until, standIn: false, session };
  }

  private async standIn(context: CheckContext, unavailable: UnavailableAnswer): Promise<Verdict> {
    return this.stoodIn(context, await this.parts.standIn.decide(context, unavailable), unavailable);
  }

  private stoodIn(context: CheckContext, decision: Decision, answer?: Verdict['answer']): Verdict {
    // Nothing unavailable is kept as a denial.
    if (!decision.allow) return { decision, answer, until: 0, standIn: true };
    const session = this.carry(context, decision) ?? this.open(context, decision);
    const { clock, times } = this.parts;
    const until = clock.monotonic() + (decision.because === 'us' ? OVERLOAD_KEPT : times.grace);
    return { decision, answer, until, standIn: true, session };
  }

  private timeIsUp(context: CheckContext): Settled {
    const late = unavailableBecauseUs(context, 'deadline', 'the time for this check was used up');
    return this.settle(context, this.stoodIn(context, this.parts.standIn.decideNow(context, late), late));
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
  private register(session: Session): void {
    this.parts.registry.open(session).catch(unregistered);
  }

  /** It is asked about, so it lives, however long ago it was opened. */
  private alive(session: Session): Session {
    const { clock, times } = this.parts;
    return { ...session, aliveUntil: Math.max(session.aliveUntil, clock.now() + times.assumedLife) };
  }

  private monotonicUntil(session: Session): number {
    const { clock } = this.parts;
    if (session.authorizedUntil === 0) return Number.POSITIVE_INFINITY;
    return clock.monotonic() + (session.authorizedUntil - clock.now());
  }
}

/** Redis is away or late: the session is offered again when it is back (healing). */
function unregistered(): void {}

/** A backend allowed it once: not on trust, nor only because its viewer was known or its channel public. */
function wasAllowed({ state, source }: Session): boolean {
  const undecided =
    source === 'fail-open' || source === 'overload' || source === 'known' || source === 'rule';
  return state !== 'revoked' && state !== 'on-trust' && !undecided;
}

function isOutOfTime({ answer }: Asking): boolean {
  return answer.kind === 'unavailable' && answer.reason === 'deadline';
}

/** It may be answered without asking. What was only carried through an outage is asked about. */
function isRunning(session: Session, now: number): boolean {
  return (
    session.state === 'active' &&
    session.source !== 'stale' &&
    (session.authorizedUntil === 0 || session.authorizedUntil > now)
  );
}

function unavailableBecauseUs(
  context: CheckContext,
  reason: 'deadline' | 'internal' | 'no-route',
  detail: string,
): UnavailableAnswer {
  return {
    kind: 'unavailable',
    backend: context.route.target ?? '',
    because: 'us',
    reason,
    detail,
    tookMs: 0,
  };
}
