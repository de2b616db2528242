import type {
  AllowAnswer,
  Clock,
  FoundSession,
  Hold,
  RuleDenial,
  Session,
  SessionRegistry,
  Switches,
  UnavailableAnswer,
} from '#usher/domain';
import { tooSlow, type Asker, type Asking } from './asking.js';
import type { CheckContext, Settled, Verdict } from './check-context.js';
import { keptName, UNCHECKED, type Kept, type KeptDecisions } from './kept-decisions.js';
import type { Limiting } from './limiting.js';
import { publishing } from './publishing.js';
import { isToHear } from './revoked-lately.js';
import type { SharedAnswers } from './shared-answers.js';
import type { SingleFlight } from './single-flight.js';
import type { StandIn } from './stand-in.js';
import { switchedAnswer, switchOn, underSwitch } from './switched.js';
import type { TraitsByBackend } from './traits.js';
import { isRunning, wasAllowed } from './standing.js';
import type { Verdicts } from './verdicts.js';

/** Kept apart from the deadline, so that the answer is on the wire before the edge gives up, ms; an eighth at most. */
const MARGIN = 25;

export interface LadderParts {
  readonly clock: Clock;
  readonly registry: SessionRegistry;
  readonly switches: Switches;
  readonly asker: Asker;
  readonly kept: KeptDecisions;
  readonly shared: SharedAnswers;
  readonly flights: SingleFlight<Asking>;
  readonly standIn: StandIn;
  readonly verdicts: Verdicts;
  /** Caps on devices per user; without it nobody has one. */
  readonly limiting?: Limiting;
  readonly backends: TraitsByBackend;
  /** Every input that the target's backends see; equal keys are the same question. */
  readonly questionKey: (context: CheckContext, target: string) => string;
}

/** The life of a check: each rung answers, or passes it on. Every check is answered within its deadline. */
export class Ladder {
  constructor(private readonly parts: LadderParts) {}

  /** Never rejects, and nothing of it is kept. */
  publish(context: CheckContext): Promise<Settled> {
    return publishing(context, this.holdOn(context), this.parts.asker);
  }

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
        this.parts.verdicts.stoodIn(context, this.parts.standIn.decideNow(context, broken), broken),
      );
    } finally {
      clearTimeout(timer);
    }
  }

  /** No route matches: a gap in our configuration, never the viewer's fault. Kept for nobody. */
  unrouted(context: CheckContext): Settled {
    const held = this.holdOn(context);
    if (held !== undefined) return this.settle(context, this.parts.verdicts.held(context, held));
    const gap = unavailableBecauseUs(context, 'no-route', 'no route matches this check');
    return { decision: { ...this.parts.standIn.decideNow(context, gap), reason: 'no-route' }, answer: gap };
  }

  private async climb(context: CheckContext): Promise<Settled> {
    let held = this.holdOn(context);
    if (held?.origin === 'protection' && (await this.isSpared(context, held))) {
      context.spared = true;
      held = this.holdOn(context);
    }
    // A hold set by hand, whatever it says, has the first word.
    const refusal = held === undefined ? context.route.rules?.refusal(context.check) : undefined;
    if (refusal !== undefined) return { decision: this.parts.verdicts.ruledOut(refusal).decision };
    const mine = this.keptHere(context, held);
    if (mine !== undefined) return mine;
    if (held !== undefined) return this.settle(context, this.parts.verdicts.held(context, held));
    return this.settle(context, await this.verdict(context));
  }

  /** Rung `hold`: what is known before anybody is asked. Once the user is named, each verdict looks again. */
  private holdOn(context: CheckContext): Hold | undefined {
    const { version, generation, endings } = this.parts.kept;
    Object.assign(context, { version, generation, endings });
    return this.parts.verdicts.holdBefore(context);
  }

  private async verdict(context: CheckContext): Promise<Verdict> {
    const ruled = await this.ruled(context);
    if (ruled !== undefined) return ruled;
    const { target, isPublic } = context.route;
    if (target === undefined) {
      return isPublic === true
        ? this.parts.verdicts.public(context)
        : this.parts.verdicts.ruledOut(UNDECIDED);
    }
    const key = this.parts.questionKey(context, target);
    const shared = this.parts.shared.find(key);
    // The same question was answered a moment ago; the session is opened by itself.
    const isAsked = context.asksAgainWithin === undefined && shared?.kind === 'allow';
    if (isAsked) return this.allowed(context, shared, 'cache', true);
    // A denial that others got says nothing about a session that was allowed elsewhere.
    const elsewhere = await this.keptElsewhere(context);
    if (elsewhere !== undefined) return elsewhere;
    // Of an edge that asks again it may be a session that was revoked, which only the registry knows.
    if (shared?.kind === 'allow') return this.allowed(context, shared, 'cache', true);
    if (context.lacksCredentials === true) return CREDENTIALS_MISSING;
    if (shared === undefined) return this.asked(context, target, key);
    return this.parts.verdicts.previousStands(context, shared) ?? this.parts.verdicts.denied(shared, 'cache');
  }

  /** Behind an address that scans (of IPv6 its /64) there may be people who pay; and whoever plays already was let in by his backend. */
  private async isSpared(context: CheckContext, { kind }: Hold): Promise<boolean> {
    const { edge, sessionId } = context.check;
    const mine = this.parts.kept.find(keptName(edge, sessionId), context.identity.fingerprint);
    if (mine?.session !== undefined && wasAllowed(mine.session)) return true;
    return (kind === 'address' || kind === 'network') && this.parts.standIn.isKnown(context);
  }

  /** Rung `rule`: what the gateway decides itself; undefined: nothing. */
  private async ruled(context: CheckContext): Promise<Verdict | undefined> {
    const { verdicts, limiting } = this.parts;
    const { rules } = context.route;
    if (rules === undefined) return undefined;
    context.isRuled = false;
    const outcome = await rules.decide(context.check);
    context.isRuled = true;
    if (outcome.kind === 'pass') return undefined;
    if (outcome.kind === 'deny') return verdicts.ruledOut(outcome);
    return (await limiting?.refusalOfRule(context, outcome)) ?? verdicts.ruledIn(context, outcome);
  }

  /** What may be said again is kept under the session's name; a stand-in keeps saying what it is. */
  private settle(context: CheckContext, verdict: Verdict): Settled {
    const { decision, answer, until, standIn, session } = verdict;
    const { kept } = this.parts;
    if (until === 0) return { decision, answer };
    const name = keptName(context.check.edge, context.check.sessionId);
    const hasEnded = kept.hasEnded(name, context.endings ?? 0);
    const mine: Kept = {
      name,
      fingerprint: context.identity.fingerprint,
      decision: standIn || decision.hold !== undefined ? decision : { ...decision, source: 'cache' },
      session,
      standIn,
      until,
      // Its end, or a gap, was told while it was under way.
      generation: hasEnded ? UNCHECKED : (context.generation ?? UNCHECKED),
      version: context.version ?? 0,
      checks: 0,
      isNoted: false,
    };
    if (session !== undefined) {
      kept.keep(mine);
      // Whoever was to open it may have died over it, and an edge that asks once never asks again.
      kept.noteKept(mine);
    }
    // Who found it elsewhere asked about it once more.
    if (decision.source === 'session') kept.note(mine);
    return { decision, answer, kept: mine };
  }

  /** Rung `cache`: this session's own allow. One that is too old is remembered as `previous`. */
  private keptHere(context: CheckContext, held: Hold | undefined): Settled | undefined {
    const { kept, verdicts } = this.parts;
    const name = keptName(context.check.edge, context.check.sessionId);
    const mine = kept.find(name, context.identity.fingerprint);
    if (mine === undefined) return undefined;
    const { session, decision } = mine;
    // What rests on a hold stands and falls with it.
    if (isSameHold(decision.hold, held) && kept.isCurrent(mine)) {
      const refused = session && verdicts.refusal(context, session, true);
      if (refused !== undefined && held === undefined) return this.settle(context, refused);
      mine.version = context.version ?? 0;
      kept.note(mine);
      return { decision, kept: mine };
    }
    if (session !== undefined && wasAllowed(session)) context.previous = session;
    context.onTrust = session?.state === 'on-trust';
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
      if (session.state === 'on-trust') context.onTrust = true;
      if (!wasAllowed(session)) return undefined;
      context.previous = session;
      return isRunning(session, this.parts.clock.now())
        ? this.parts.verdicts.stillAllowed(context, session)
        : undefined;
    }
    // Absence is never a denial: what this process holds and the registry lacks is written back.
    const mine = context.previous;
    const wasRevoked = found.kind === 'revoked' || wasRevokedSince(found, mine);
    const mayStand = found.kind === 'none' && !wasRevoked;
    if (mayStand && mine !== undefined && isRunning(mine, this.parts.clock.now())) {
      const alive = this.parts.verdicts.alive(mine);
      this.parts.verdicts.register(alive);
      return this.parts.verdicts.stillAllowed(context, alive);
    }
    if (found.kind === 'other' || wasRevoked) context.previous = undefined;
    // Its end was not heard of here.
    if (wasRevoked) this.parts.kept.drop(keptName(context.check.edge, context.check.sessionId));
    const now = this.parts.clock.now();
    return isToHear(found, context, this.isHurried(context), now) ? REVOKED : undefined;
  }

  /** While Redis is away entries stand. */
  private standsWhileAway(context: CheckContext): Verdict | undefined {
    const mine = context.previous;
    return mine !== undefined && isRunning(mine, this.parts.clock.now())
      ? this.parts.verdicts.stillAllowed(context, this.parts.verdicts.alive(mine))
      : undefined;
  }

  /** Rungs `backend` and `direct`, and what stands in for them. */
  private async asked(context: CheckContext, target: string, key: string): Promise<Verdict> {
    // Before the flight is shared: the same question may come by another route, which is not switched.
    const switched = switchOn(this.parts.switches, context.route);
    if (switched !== undefined) {
      const stood = await this.standIn(underSwitch(context, switched), switchedAnswer(target, switched));
      return { ...stood, decision: { ...stood.decision, switched: true } };
    }
    const extended = this.parts.verdicts.extended(context);
    if (extended !== undefined) return extended;
    context.unopened = this.parts.limiting?.mayRefuse(context.route);
    const ask = async (): Promise<Asking> => {
      const { version } = this.parts.kept;
      return { ...(await this.parts.asker.ask(context, target)), version };
    };
    context.isHurried = this.isHurried(context);
    // Whoever waits longer gets the answer that comes too late for those in a hurry.
    const called = context.isHurried ? `${key}\nin a hurry` : key;
    let flight = await this.parts.flights.share(called, ask);
    // The time of the one who asked was up; there may be some left here.
    if (!flight.leader && isOutOfTime(flight.value)) flight = await this.parts.flights.share(called, ask);
    const { leader, value } = flight;
    const { answer, source } = value;
    // It may have been under way already when this check was looked at.
    context.version = value.version;
    if (answer.kind === 'unavailable') return this.standIn(context, answer);
    const credential = this.parts.backends.get(answer.backend)?.credential ?? 'once';
    // It was asked before a refresh of its user: others ask for themselves.
    if (context.version === this.parts.kept.version) this.parts.shared.keep(key, answer, credential);
    // The worker opened its question's session together with the reply, unless it has to be admitted first.
    const isOpened = leader && source === 'backend' && context.unopened !== true;
    if (answer.kind === 'allow') return this.allowed(context, answer, source, !isOpened);
    if (context.registryFailed) await this.keptElsewhere(context);
    const known = await this.parts.standIn.unlessKnown(context, answer);
    if (known !== undefined) return this.parts.verdicts.stoodIn(context, known, answer);
    return this.parts.verdicts.previousStands(context, answer) ?? this.parts.verdicts.denied(answer, source);
  }

  /** Whoever is over the cap on devices of his user plays nowhere, and nobody keeps that. */
  private async allowed(
    context: CheckContext,
    answer: AllowAnswer,
    source: 'backend' | 'direct' | 'cache',
    registers: boolean,
  ): Promise<Verdict> {
    const refused = await this.parts.limiting?.refusal(context, answer);
    return refused ?? this.parts.verdicts.allowed(context, answer, source, registers);
  }

  private async standIn(context: CheckContext, unavailable: UnavailableAnswer): Promise<Verdict> {
    return this.parts.verdicts.stoodIn(
      context,
      await this.parts.standIn.decide(context, unavailable),
      unavailable,
    );
  }

  /** A backend may take longer than this check waits: no answer by then is the backend's, and no fault of ours. */
  private isHurried({ deadline, route }: CheckContext): boolean {
    const left = deadline - this.parts.clock.monotonic();
    return route.backends.some((backend) => (this.parts.backends.get(backend)?.timeout ?? 0) > left);
  }

  private timeIsUp(context: CheckContext): Settled {
    // Nobody gets past a password by keeping us busy with passwords.
    if (context.isRuled === false) return this.settle(context, this.parts.verdicts.ruledOut(BUSY));
    const late =
      context.isHurried === true
        ? tooSlow(context.route.target ?? '')
        : unavailableBecauseUs(context, 'deadline', 'the time for this check was used up');
    const decision = this.parts.standIn.decideNow(context, late);
    context.plays = decision.allow;
    return this.settle(context, this.parts.verdicts.stoodIn(context, decision, late));
  }
}

/** The rules were not done in time. */
const BUSY: RuleDenial = { kind: 'deny', rule: 'otherwise', reason: 'rule-busy' };
/** A route that asks nobody, and whose rules let nobody in by themselves. */
const UNDECIDED: RuleDenial = { kind: 'deny', rule: 'otherwise', reason: 'rule-undecided' };

const CREDENTIALS_MISSING: Verdict = {
  decision: { allow: false, source: 'rule', reason: 'credentials-missing', status: 401 },
  until: 0,
  standIn: false,
};

const REVOKED: Verdict = {
  decision: { allow: false, source: 'session', reason: 'held-refused' },
  until: 0,
  standIn: false,
};

/** Of none and none, too. */
function isSameHold(a: Hold | undefined, b: Hold | undefined): boolean {
  return a?.kind === b?.kind && a?.subject === b?.subject && a?.since === b?.since;
}

/** It is closed by now, and whoever came back since was asked about anew. */
function wasRevokedSince(found: FoundSession, mine: Session | undefined): boolean {
  return found.kind === 'none' && mine !== undefined && mine.openedAt <= (found.revokedAt ?? 0);
}

function isOutOfTime({ answer }: Asking): boolean {
  return answer.kind === 'unavailable' && answer.reason === 'deadline';
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
