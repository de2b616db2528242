import { configSchema } from '#usher/config';
import { NO_RENEWALS } from '#usher/domain';
import type {
  Admission,
  AllowAnswer,
  Asked,
  BackendAnswer,
  Check,
  DenyAnswer,
  FoundSession,
  HeldFacts,
  Hold,
  HoldOrigin,
  KnownViewer,
  Newcomer,
  Question,
  RuleChain,
  Session,
  SessionRegistry,
  Switch,
  UnavailableAnswer,
} from '#usher/domain';
import { ManualClock } from '#usher/testing';
import { Asker, type Asking } from '../src/asking.js';
import type { CheckContext } from '../src/check-context.js';
import { KeptDecisions } from '../src/kept-decisions.js';
import { KnownMemory } from '../src/known-memory.js';
import { Ladder } from '../src/ladder.js';
import { Limiting } from '../src/limiting.js';
import { compileRoutes } from '../src/routes.js';
import { sessionLife } from '../src/session-life.js';
import { SharedAnswers } from '../src/shared-answers.js';
import { SingleFlight } from '../src/single-flight.js';
import { StandIn } from '../src/stand-in.js';
import { identify, traitsOf } from '../src/traits.js';
import { Verdicts } from '../src/verdicts.js';

export const allow = (part: Partial<AllowAnswer> = {}): AllowAnswer => ({
  kind: 'allow',
  backend: 'portal',
  reason: 'backend-allowed',
  status: 200,
  tookMs: 1,
  ...part,
});
export const deny = (part: Partial<DenyAnswer> = {}): DenyAnswer => ({
  kind: 'deny',
  backend: 'portal',
  reason: 'backend-denied',
  status: 403,
  tookMs: 1,
  ...part,
});
export const unavailable = (because: 'backend' | 'us'): UnavailableAnswer => ({
  kind: 'unavailable',
  backend: 'portal',
  because,
  reason: because === 'us' ? 'bulkhead-full' : 'backend-unreachable',
  detail: '',
  tookMs: 1,
});

/** The ladder over hand-written ports that say what a test wants and note what they were told. */
export function ladderOf(backend: Record<string, unknown> = {}, extra: Record<string, unknown> = {}) {
  const config = configSchema.parse({
    backends: { portal: { type: 'http', url: 'http://portal.example.com', ...backend } },
    ...extra,
  });
  const clock = new ManualClock();
  const backends = traitsOf(config);
  const said = {
    overBus: [] as BackendAnswer[],
    asked: { kind: 'answered' } as Asked | { kind: 'answered' },
    direct: allow() as BackendAnswer,
    admission: undefined as Admission | undefined,
    found: { kind: 'none' } as FoundSession | Error,
    known: undefined as KnownViewer | undefined | Error,
    answer: allow() as BackendAnswer | Promise<BackendAnswer>,
    rules: undefined as RuleChain | undefined,
    place: 'admitted' as 'admitted' | 'over' | Promise<'admitted' | 'over'>,
  };
  const told = {
    opened: [] as Session[],
    /** Whose question this process remembers. */
    held: [] as Session[],
    busQuestions: [] as Question[],
    directQuestions: [] as Question[],
    /** What happens while the bus is asked. */
    asks: (): void => undefined,
    newcomers: [] as Newcomer[],
  };
  const known = new KnownMemory(
    clock,
    {
      find: async () => {
        if (said.known instanceof Error) throw said.known;
        return said.known;
      },
      remember: async () => undefined,
    },
    config.gateway.knownFor,
    1000,
  );
  /** By name; what tests put in. */
  const switched = new Map<string, Switch>();
  const switches = {
    ofBackend: (backend: string) => switched.get(`backend:${backend}`),
    ofRoute: (route: string | undefined) => switched.get(`route:${route}`),
  };
  const asker = new Asker(
    clock,
    {
      isClosed: () => said.admission === undefined,
      admit: async (_target, _known, without = []) => said.admission ?? { kind: 'ask', skip: without },
    },
    {
      ask: async (question) => {
        told.busQuestions.push(question);
        told.asks();
        return said.asked.kind === 'answered' ? { kind: 'answered', answer: await said.answer } : said.asked;
      },
    },
    {
      ask: async (question) => {
        told.directQuestions.push(question);
        return said.direct;
      },
    },
    known,
    switches,
  );
  /** What tests say; the real memory of holds has specs of its own. */
  const holds = {
    version: 0,
    before: (_: HeldFacts, _but?: ReadonlySet<HoldOrigin>): Hold | undefined => undefined,
    ofUser: (
      _namespace: string,
      _user: string,
      _viewerKey: string,
      _but?: ReadonlySet<HoldOrigin>,
    ): Hold | undefined => undefined,
  };
  const kept = new KeptDecisions(clock, 1000, holds);
  const shared = new SharedAnswers(clock, config.gateway.answerTtl, 1000);
  const registry: SessionRegistry = {
    find: async () => {
      if (said.found instanceof Error) throw said.found;
      return said.found;
    },
    open: async (session) => void told.opened.push(session),
  };
  const verdicts = new Verdicts({
    clock,
    registry,
    known,
    holds,
    renewals: { ...NO_RENEWALS, hold: (_check, _identity, session) => void told.held.push(session) },
    backends,
    times: {
      ...sessionLife(config),
      grace: config.gateway.grace,
      denial: config.gateway.answerTtl.deny,
    },
  });
  const limits = {
    admit: async (newcomer: Newcomer) => {
      told.newcomers.push(newcomer);
      return said.place;
    },
  };
  const ladder = new Ladder({
    clock,
    registry,
    switches,
    asker,
    kept,
    shared,
    flights: new SingleFlight<Asking>(),
    standIn: new StandIn(clock, known),
    verdicts,
    limiting: new Limiting({ clock, config, limits, holds }),
    backends,
    questionKey: ({ check }, target) => `${target}/${check.query}/${check.ip}/${check.channel}`,
  });
  /** Of every route. */
  const rules: RuleChain = {
    decide: (input) => said.rules?.decide(input) ?? { kind: 'pass' },
    refusal: (input) => said.rules?.refusal(input),
  };
  const routeOf = compileRoutes(config, { ofRoute: () => rules });
  const context = (part: Partial<Check> = {}, deadlineMs = 2000): CheckContext => {
    const facts = {
      id: 'check-1',
      dialect: 'astra' as const,
      edge: 'astra-1',
      channel: 'a001',
      ip: '192.0.2.7',
      path: '/play/a001/index.m3u8',
      userAgent: 'VLC/3',
      host: 'live.example.com',
      origin: '',
      query: 'token=123',
      ...part,
    };
    const route = routeOf(facts);
    return {
      ...identify(facts, part.sessionId ?? '42', route, backends),
      route,
      habit: 'once',
      opensWhenAlone: true,
      deadline: clock.monotonic() + deadlineMs,
    };
  };
  /** The control stream had a gap: a revocation may have been missed. */
  const gap = () => {
    kept.generation += 1;
    shared.clear();
  };
  return {
    ladder,
    context,
    said,
    told,
    clock,
    holds,
    switched,
    kept,
    shared,
    known,
    asker,
    registry,
    backends,
    gap,
  };
}

export type World = ReturnType<typeof ladderOf>;
/** The check's answer as `allow cache`, `deny backend` … */
export const sources = async ({ ladder, context }: World, part: Partial<Check> = {}) => {
  const { decision } = await ladder.decide(context(part));
  return `${decision.allow ? 'allow' : 'deny'} ${decision.source}`;
};
