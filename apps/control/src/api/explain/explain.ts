import {
  compileRoutes,
  FOR_NEWCOMERS,
  identify,
  isRunning,
  isToHear,
  KnownMemory,
  PROTECTION,
  RULES_NAMESPACE,
  StandIn,
  switchedAnswer,
  switchOn,
  traitsOf,
  underSwitch,
  wasAllowed,
  type CheckContext,
  type Route,
  type TraitsByBackend,
} from '#usher/decisions';
import {
  readable,
  type AllowAnswer,
  type BackendAnswer,
  type Decision,
  type FoundSession,
  type Hold,
  type HoldOrigin,
  type KnownViewers,
  type RuleChain,
  type Session,
  type UnavailableAnswer,
} from '#usher/domain';
import type { RedisSessionRegistry } from '#usher/sessions';
import type { ControlNode } from '../../control-node.js';
import { failModeText } from '../cluster/backend-view.js';
import { timeText } from '../endpoint/fields.js';
import { askTarget } from './ask-target.js';
import type { ReadCheck } from './asked-check.js';
import { DeviceCap } from './device-cap.js';
import { decides, passes, type Rung } from './rung.js';
import { because, DEAD_BY_DESIGN, howItAnswered, revokedText, whatIsThere } from './sentences.js';

export interface ExplainParts {
  readonly node: Pick<
    ControlNode,
    'config' | 'clock' | 'rules' | 'holds' | 'switches' | 'gates' | 'adapters' | 'limits'
  >;
  readonly registry: Pick<RedisSessionRegistry, 'find'>;
  readonly known: Pick<KnownViewers, 'find'>;
}

/** What the ladder would say. */
export interface Explanation {
  readonly context: CheckContext;
  readonly rungs: readonly Rung[];
  /** Undefined: the backend's answer decides, and it was not asked. */
  readonly decision: Pick<Decision, 'allow' | 'source' | 'reason'> | undefined;
  /** The token may be asked about again. */
  readonly reusable: boolean;
}

type Verdict = Pick<Decision, 'allow' | 'source' | 'reason'>;

/** More than an explanation looks at. */
const FEW_VIEWERS = 100;

/** Goes down the ladder as a gateway would, and changes nothing: nothing is kept, opened or counted. */
export async function explain(parts: ExplainParts, read: ReadCheck, ask: boolean): Promise<Explanation> {
  const walk = new Walk(parts, read);
  const decision = await walk.down(ask);
  return { context: walk.context, rungs: walk.rungs, decision, reusable: walk.reusable };
}

class Walk {
  readonly context: CheckContext;
  readonly rungs: Rung[] = [];
  readonly #backends: TraitsByBackend;
  readonly #standIn: StandIn;
  readonly #cap: DeviceCap;
  /** Asked at most once; undefined: Redis is away. */
  #found: Promise<FoundSession | undefined> | undefined;

  constructor(
    private readonly parts: ExplainParts,
    private readonly read: ReadCheck,
  ) {
    const { config, clock } = parts.node;
    this.#backends = traitsOf(config);
    const { givenSessionId, byHand: _, lacksCredentials: __, ...facts } = read.facts;
    const unidentified = { ...facts, id: 'explained', edge: read.edge, dialect: read.dialect.name };
    const route = compileRoutes(config, parts.node.rules)(unidentified);
    this.context = {
      ...identify(unidentified, givenSessionId, route, this.#backends),
      route,
      habit: read.dialect.habit,
      opensWhenAlone: read.dialect.opensWhenAlone,
      deadline: Infinity,
      asksAgainWithin: read.asksAgainWithin,
    };
    this.#cap = new DeviceCap(parts.node);
    const viewers: KnownViewers = {
      find: (backend, viewerKey) => parts.known.find(backend, viewerKey),
      remember: () => Promise.reject(new Error('an explanation remembers nothing')),
    };
    this.#standIn = new StandIn(clock, new KnownMemory(clock, viewers, config.gateway.knownFor, FEW_VIEWERS));
  }

  get reusable(): boolean {
    const { backends } = this.context.route;
    return backends.every((name) => this.#backends.get(name)?.credential === 'reusable');
  }

  async down(ask: boolean): Promise<Verdict | undefined> {
    const { route } = this.context;
    const known = this.#edge();
    if (known !== undefined) return known;
    this.#route(route);
    if (route.mode === 'observe' && route.target !== undefined) return this.#observed(route.target, ask);
    const held = await this.#held();
    if (held !== undefined) return held;
    if (route.isGap === true) return this.#standIns(noRoute(), this.context);
    const { target } = route;
    const ruled = await this.#ruled(route.rules);
    if (ruled !== undefined) return ruled;
    if (target === undefined) return this.#say('rule', PUBLIC, 'The route has access: public.');
    this.rungs.push(
      passes('cache', 'This cannot be seen from here.', 'Each gateway keeps what it answered by itself.'),
    );
    const found = await this.#session();
    if (found !== undefined) return found;
    return this.#backend(target, ask);
  }

  #edge(): Verdict | undefined {
    const { edges } = this.parts.node.config;
    const { edge, dialect } = this.read;
    const names = Object.keys(edges);
    if (names.length === 0) {
      this.rungs.push(
        passes(
          'edge',
          `${edge} speaks ${dialect.name}.`,
          'No edge is configured: whoever asks from gateway.edgesFrom is one.',
        ),
      );
    } else if (Object.hasOwn(edges, edge)) {
      this.rungs.push(passes('edge', `${edge} speaks ${dialect.name}.`, `edges.${edge} is configured.`));
    } else {
      const why = `${edge} is none of the configured edges: ${names.join(', ')}.`;
      return this.#say('edge', { allow: false, source: 'rule', reason: 'unknown-edge' }, why);
    }
    return undefined;
  }

  #route({ isGap, target, isPublic, mode, backends, failMode }: Route): void {
    if (isGap === true) {
      this.rungs.push(
        passes(
          'route',
          'No route matches.',
          'The overload policy answers, and viewers’ own words let nobody in.',
        ),
      );
      return;
    }
    const to = target ?? (isPublic === true ? 'nobody: access is public' : 'nobody: its rules decide');
    const members = backends.length > 1 ? ` (${backends.join(', ')})` : '';
    const capped = this.parts.node.config.limits.mode === 'off' ? undefined : this.#cap.inWords(this.context);
    const cap = capped === undefined ? '' : `, ${capped}`;
    const observed =
      mode === 'observe' ? ' Mode observe: the backend’s own answer goes to the edge as it is.' : '';
    this.rungs.push(
      passes(
        'route',
        `The one to ask is ${to}${members}.${observed}`,
        `The first route that matches; fail mode ${failModeText(failMode)}${cap}.`,
      ),
    );
  }

  /** Before anybody is asked. */
  async #held(): Promise<Verdict | undefined> {
    const hold = this.#holdBefore();
    if (hold?.origin !== 'protection') return this.#heldOr(hold);
    const spared = await this.#spared(hold);
    if (spared === undefined) return this.#byHold(hold);
    this.context.spared = true;
    this.rungs.push(
      passes('hold', `The protection’s hold on the ${hold.kind} does not count for him.`, spared),
    );
    return this.#heldOr(this.#holdBefore(PROTECTION));
  }

  #heldOr(hold: Hold | undefined): Verdict | undefined {
    if (hold !== undefined) return this.#byHold(hold);
    if (this.context.spared !== true)
      this.rungs.push(
        passes('hold', 'Nobody holds this viewer.', 'No hold on his address, channel, player or token.'),
      );
    return undefined;
  }

  #holdBefore(but?: ReadonlySet<HoldOrigin>): Hold | undefined {
    const { check, identity, credential } = this.context;
    const { ip, channel, userAgent } = check;
    const { viewerKey } = identity;
    return this.parts.node.holds.before({ ip, channel, userAgent, viewerKey, credential }, but);
  }

  /** Why a protection's hold does not count for him; undefined: it does. His gateway knows what it allowed; here the registry does. */
  async #spared({ kind }: Hold): Promise<string | undefined> {
    const found = await this.#lookUp();
    if (found?.kind === 'same' && wasAllowed(found.session))
      return 'He plays already, and was let in by his backend.';
    const isShared = kind === 'address' || kind === 'network';
    return isShared && (await this.#standIn.isKnown(this.context))
      ? 'A backend allowed this viewer lately: behind an address that scans there may be people who pay.'
      : undefined;
  }

  /** What the gateway decides itself. */
  async #ruled(rules: RuleChain | undefined): Promise<Verdict | undefined> {
    if (rules === undefined) return undefined;
    const { check } = this.context;
    const outcome = rules.refusal(check) ?? (await rules.decide(check));
    if (outcome.kind === 'pass') {
      this.rungs.push(
        passes('rule', 'No rule of the route decides.', 'What the rules leave open is asked about.'),
      );
      return undefined;
    }
    if (outcome.kind === 'deny') {
      const { reason } = outcome;
      return this.#say('rule', { allow: false, source: 'rule', reason }, `The rule ${outcome.rule} refuses.`);
    }
    const { user } = outcome;
    const held = user === undefined ? undefined : this.#heldUser({ namespace: RULES_NAMESPACE, user });
    if (held !== undefined) return held;
    const capped = await this.#cap.ofRule(this.context, outcome);
    if (capped !== undefined) this.rungs.push(capped.rung);
    if (capped?.isOver === true) return OVER;
    const named = user === undefined ? '' : ` and names ${readable(user)}`;
    return this.#say('rule', RULED_IN, `The rule ${outcome.rule} lets in${named}.`);
  }

  /** Once the user is named. What is for newcomers does not count for whoever was allowed earlier. */
  #heldUser({ namespace, user }: Pick<Session, 'namespace' | 'user'>): Verdict | undefined {
    const { identity, previous } = this.context;
    const but = previous === undefined ? undefined : FOR_NEWCOMERS;
    const hold = this.parts.node.holds.ofUser(namespace, user, identity.viewerKey, but);
    return hold?.effect === 'refuse' ? this.#byHold(hold) : undefined;
  }

  /** A free pass lets play on whoever was allowed earlier, whatever his backend says now. */
  #passed({ namespace, user }: Pick<Session, 'namespace' | 'user'>): Verdict | undefined {
    const hold = this.parts.node.holds.ofUser(namespace, user, this.context.identity.viewerKey);
    return hold?.effect === 'pass' ? this.#byHold(hold) : undefined;
  }

  #byHold({ kind, by, reason, until, effect }: Hold): Verdict {
    const allow = effect === 'pass';
    const verdict = { allow, source: 'hold', reason: allow ? 'held-passed' : 'held-refused' } as const;
    return this.#say('hold', verdict, `A hold on the ${kind}, by ${by}, until ${timeText(until)}: ${reason}`);
  }

  /** Mode observe leaves the ladder out. */
  async #observed(target: string, ask: boolean): Promise<Verdict | undefined> {
    if (!ask || !this.reusable) {
      this.#notAsked(target);
      return undefined;
    }
    const answer = await askTarget(this.parts.node, target, this.context.check);
    const verdict = { allow: answer.kind === 'allow', source: 'backend', reason: answer.reason } as const;
    return this.#say('backend', verdict, howItAnswered(answer));
  }

  #notAsked(target: string): void {
    const why = this.reusable ? 'It was not asked now: send ask: true.' : DEAD_BY_DESIGN;
    this.rungs.push(passes('backend', `${target} is asked, and its answer decides.`, why));
  }

  #lookUp(): Promise<FoundSession | undefined> {
    const { check, identity } = this.context;
    this.#found ??= this.parts.registry.find(check, identity.fingerprint).catch(() => undefined);
    return this.#found;
  }

  async #session(): Promise<Verdict | undefined> {
    const found = await this.#lookUp();
    if (found === undefined) {
      this.rungs.push(
        passes('session', 'This cannot be seen now.', 'Redis is away. What gateways keep stands meanwhile.'),
      );
      return undefined;
    }
    if (found.kind === 'same') return this.#living(found.session);
    const { clock } = this.parts.node;
    // How long it would wait depends on its edge.
    if (isToHear(found, this.context, false, clock.now())) {
      const why = `${revokedText(found)} Its edge asks again about its sessions, and is told so.`;
      return this.#say('session', REVOKED, why);
    }
    this.rungs.push(passes('session', ...whatIsThere(found)));
    return undefined;
  }

  #living(session: Session): Verdict | undefined {
    const { clock } = this.parts.node;
    if (!wasAllowed(session)) {
      this.rungs.push(
        passes(
          'session',
          'It was let in without a decision: the backend is asked.',
          `Its state is ${session.state}, its source ${session.source}.`,
        ),
      );
      return undefined;
    }
    this.context.previous = session;
    if (!isRunning(session, clock.now())) {
      this.rungs.push(
        passes(
          'session',
          'It was allowed earlier: the backend is asked again.',
          'Its time is up, or it was carried through an outage.',
        ),
      );
      return undefined;
    }
    const held = this.#heldUser(session);
    if (held !== undefined) return held;
    const until = session.authorizedUntil === 0 ? 'it lives' : timeText(session.authorizedUntil);
    return this.#say(
      'session',
      KNOWN,
      `It was opened at ${timeText(session.openedAt)}, and is allowed as long as ${until}.`,
    );
  }

  async #backend(target: string, ask: boolean): Promise<Verdict | undefined> {
    const { route } = this.context;
    const switched = switchOn(this.parts.node.switches, route);
    if (switched !== undefined) {
      const { kind, name, by, until, reason } = switched;
      this.rungs.push(
        passes(
          'switch',
          'Nobody is asked.',
          `${kind} ${name} is switched by ${by} until ${timeText(until)}: ${reason}`,
        ),
      );
      return this.#standIns(switchedAnswer(target, switched), underSwitch(this.context, switched));
    }
    const extended = this.#extended();
    if (extended !== undefined) return extended;
    const asked = this.#breakers(route.backends);
    if (!asked) return this.#standIns(unavailable(target, 'backend', 'backend-suspended'), this.context);
    if (!ask || !this.reusable) {
      this.#notAsked(target);
      await this.#capForeseen();
      await this.#foreseen(target);
      return undefined;
    }
    return this.#answered(await askTarget(this.parts.node, target, this.context.check));
  }

  /** The time of this session is up, and its token is good for one question. */
  #extended(): Verdict | undefined {
    const { previous, route } = this.context;
    if (previous === undefined || !route.backends.includes(previous.backend)) return undefined;
    if (this.#backends.get(previous.backend)?.credential !== 'once') return undefined;
    return (
      this.#passed(previous) ??
      this.#heldUser(previous) ??
      this.#say('session', EXTENDED, 'Its token is good for one question: nobody is asked, and it plays on.')
    );
  }

  /** What his user's cap would say, where it is known who he is. */
  async #capForeseen(): Promise<void> {
    const { route, previous, identity } = this.context;
    const inWords = this.#cap.inWords(this.context);
    if (inWords === undefined || this.parts.node.config.limits.mode === 'off') return;
    for (const backend of route.backends) {
      const known = await this.parts.known.find(backend, identity.viewerKey).catch(() => undefined);
      const user = previous?.backend === backend ? previous.user : known?.user;
      const answer: AllowAnswer = {
        kind: 'allow',
        backend,
        reason: 'backend-allowed',
        status: 200,
        user,
        tookMs: 0,
      };
      const capped = user === undefined ? undefined : await this.#cap.ofAnswer(this.context, answer);
      if (capped === undefined) continue;
      this.rungs.push({ ...capped.rung, rung: `limit, if ${backend} allows`, answers: null });
      return;
    }
    this.rungs.push(
      passes(
        'limit',
        `There is a cap: ${inWords}.`,
        'Whose devices are to be counted is known when the backend has named its user.',
      ),
    );
  }

  /** True: some backend is asked. */
  #breakers(backends: readonly string[]): boolean {
    const { gates } = this.parts.node.gates;
    let asked = false;
    for (const name of backends) {
      const state = gates.get(name)?.status().state ?? 'closed';
      const isAsked = state === 'closed' || state === 'ramping';
      asked ||= isAsked;
      const says = isAsked ? `${name} is asked.` : `${name} is suspended.`;
      const because =
        state === 'ramping'
          ? 'It answers again: only a part of its questions is let through.'
          : isAsked
            ? 'It answers as it should.'
            : 'It failed; a probe now and then finds out whether it answers again.';
      this.rungs.push(passes('breaker', says, because));
    }
    return asked;
  }

  async #answered(answer: BackendAnswer): Promise<Verdict> {
    if (answer.kind === 'unavailable') {
      this.rungs.push(passes('backend', `${answer.backend} gave no decision.`, answer.detail));
      return this.#standIns(answer, this.context);
    }
    if (answer.kind === 'allow') {
      const namespace = this.#backends.get(answer.backend)?.namespace ?? answer.backend;
      const held = answer.user === undefined ? undefined : this.#heldUser({ namespace, user: answer.user });
      if (held !== undefined) return held;
      const capped = await this.#cap.ofAnswer(this.context, answer);
      if (capped !== undefined) this.rungs.push(capped.rung);
      if (capped?.isOver === true) return OVER;
    }
    const { previous } = this.context;
    const passed = answer.kind === 'deny' && previous !== undefined ? this.#passed(previous) : undefined;
    if (passed !== undefined) return passed;
    const verdict = { allow: answer.kind === 'allow', source: 'backend', reason: answer.reason } as const;
    return this.#say('backend', verdict, howItAnswered(answer));
  }

  /** What would stand in, were the backend gone: said, and no verdict. */
  async #foreseen(target: string): Promise<void> {
    const decision = await this.#standIn.decide(
      this.context,
      unavailable(target, 'backend', 'backend-unreachable'),
    );
    const { allow, reason } = decision;
    this.rungs.push({
      ...decides('if it cannot be asked', { allow, reason }, because(decision)),
      answers: null,
    });
  }

  async #standIns(missing: UnavailableAnswer, context: CheckContext): Promise<Verdict> {
    const decision = await this.#standIn.decide(context, missing);
    return this.#say(decision.source, decision, because(decision));
  }

  #say(rung: string, { allow, source, reason }: Verdict, why: string): Verdict {
    this.rungs.push(decides(rung, { allow, reason }, why));
    return { allow, source, reason };
  }
}

const RULED_IN = { allow: true, source: 'rule', reason: 'rule-allowed' } as const;
const PUBLIC = { allow: true, source: 'rule', reason: 'public' } as const;
const KNOWN = { allow: true, source: 'session', reason: 'session-known' } as const;
const EXTENDED = { allow: true, source: 'session', reason: 'session-extended' } as const;
const REVOKED = { allow: false, source: 'session', reason: 'held-refused' } as const;
const OVER = { allow: false, source: 'rule', reason: 'limit-reached' } as const;

function unavailable(
  backend: string,
  whose: 'backend' | 'us',
  reason: 'backend-suspended' | 'backend-unreachable' | 'no-route',
): UnavailableAnswer {
  return { kind: 'unavailable', backend, because: whose, reason, detail: '', tookMs: 0 };
}

function noRoute(): UnavailableAnswer {
  return unavailable('', 'us', 'no-route');
}
