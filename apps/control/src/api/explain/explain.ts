import {
  compileRoutes,
  identify,
  isRunning,
  KnownMemory,
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
  type BackendAnswer,
  type Decision,
  type Hold,
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
import { decides, passes, type Rung } from './rung.js';

export interface ExplainParts {
  readonly node: Pick<
    ControlNode,
    'config' | 'clock' | 'rules' | 'holds' | 'switches' | 'gates' | 'adapters'
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
    };
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
    const held = this.#held();
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

  #route({ isGap, target, isPublic, mode, backends, failMode, maxDevices }: Route): void {
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
    const cap = maxDevices === undefined ? '' : `, at most ${maxDevices} devices of one user at once`;
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
  #held(): Verdict | undefined {
    const { check, identity, credential } = this.context;
    const { ip, channel, userAgent } = check;
    const { viewerKey } = identity;
    const hold = this.parts.node.holds.before({ ip, channel, userAgent, viewerKey, credential });
    if (hold === undefined) {
      this.rungs.push(
        passes('hold', 'Nobody holds this viewer.', 'No hold on his address, channel, player or token.'),
      );
      return undefined;
    }
    return this.#byHold(hold);
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
    const named = user === undefined ? '' : ` and names ${readable(user)}`;
    return this.#say('rule', RULED_IN, `The rule ${outcome.rule} lets in${named}.`);
  }

  /** Once the user is named. */
  #heldUser({ namespace, user }: Pick<Session, 'namespace' | 'user'>): Verdict | undefined {
    const hold = this.parts.node.holds.ofUser(namespace, user, this.context.identity.viewerKey);
    return hold?.effect === 'refuse' ? this.#byHold(hold) : undefined;
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

  async #session(): Promise<Verdict | undefined> {
    const { check, identity } = this.context;
    const found = await this.parts.registry.find(check, identity.fingerprint).catch(() => undefined);
    if (found === undefined) {
      this.rungs.push(
        passes('session', 'This cannot be seen now.', 'Redis is away. What gateways keep stands meanwhile.'),
      );
      return undefined;
    }
    if (found.kind !== 'same') {
      const isOther = found.kind === 'other';
      const says = isOther
        ? 'Another viewer’s session has this id: it would be closed as replaced.'
        : 'There is no such session.';
      const because = isOther
        ? 'Token, address or channel differ.'
        : 'Nobody of this id, token, address and channel is watching.';
      this.rungs.push(passes('session', says, because));
      return undefined;
    }
    return this.#living(found.session);
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
    const asked = this.#breakers(route.backends);
    if (!asked) return this.#standIns(unavailable(target, 'backend', 'backend-suspended'), this.context);
    if (!ask || !this.reusable) {
      this.#notAsked(target);
      await this.#foreseen(target);
      return undefined;
    }
    return this.#answered(await askTarget(this.parts.node, target, this.context.check));
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
    }
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

/** Said of every token that is good for one question only. */
export const DEAD_BY_DESIGN =
  'The token is dead by design: it is good for one question, seconds after it was made. Asking again would say nothing about this viewer; /api/v1/why knows what was answered.';

function howItAnswered({ backend, status, tookMs }: BackendAnswer): string {
  const said = status === undefined ? '' : ` with ${status}`;
  return `${backend} answered${said} within ${Math.max(1, Math.round(tookMs))} ms.`;
}

function because({ source, allow }: Decision): string {
  switch (source) {
    case 'stale':
      return 'This very token was allowed, and its time still runs.';
    case 'known':
      return 'The backend allowed this viewer, or one like him, lately.';
    case 'overload':
      return allow ? 'The overload policy lets in.' : 'The overload policy refuses.';
    default:
      return allow
        ? 'Nobody knows him, and the fail mode lets in.'
        : 'Nobody knows him, and the fail mode refuses.';
  }
}

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
