import { createAdapter, GatedBackends, openGates, type Adapter, type BreakerEvent } from '#usher/backends';
import type { BreakerRecord, Gates, Suspicion } from '#usher/backends';
import { BUS_REDIS_OPTIONS, Membership, StreamClient, type ConnectionFactory } from '#usher/bus';
import type { Config } from '#usher/config';
import type { BackendPort, Check, KnownViewers, Log, Random, Rules, SessionRegistry } from '#usher/domain';
import { traitsOf } from '#usher/decisions';
import { createRules } from '#usher/rules';
import { LatencyFamily } from '#usher/observe';
import { connectionFactory, type ClusterClock, type RedisClient, type Sealer } from '#usher/redis';
import {
  EventWriter,
  OwedEvents,
  RedisKnownViewers,
  RedisSessionRegistry,
  RenewalStore,
} from '#usher/sessions';
import { Announcer } from './announcer.js';
import { breakerEvents } from './breaker-events.js';
import { clusterCanaries, type ClusterCanaries } from './cluster-canaries.js';
import { clusterGuards } from './cluster-guards.js';
import { clusterHolds, type ClusterHolds } from './cluster-holds.js';
import { clusterSwitches, type ClusterSwitches } from './cluster-switches.js';
import { peersOf, type Role } from './peers.js';
import { closingNews } from './closing-news.js';
import { deniedViewers, type DeniedViewer, type DenyViewer } from './denied-viewers.js';
import { identified } from './identified.js';
import { lateAnswers } from './late-answers.js';
import { nodeLimits, type NodeLimits } from './node-limits.js';
import { patientKnownViewers, patientRegistry } from './patient-writes.js';
import { renewals, type ClusterRenewals } from './renewals.js';
import { questionCodec, type QuestionCodec } from './question-codec.js';
import { settlement, type Settle } from './settlement.js';
import { suspicionEvents, tellLapse } from './suspicion-events.js';
import { timedAdapter } from './timed-adapter.js';
import { userRefresh, type RefreshedUser, type RefreshUser } from './user-refresh.js';

export interface NodeOptions {
  readonly config: Config;
  readonly log: Log;
  readonly roles: readonly Role[];
  /** Unique in the cluster; [A-Za-z0-9._@-]. */
  readonly id: string;
  /** The machine: hosts vote, not processes. */
  readonly host: string;
  readonly version: string;
  readonly random: Random;
  readonly redis: RedisClient;
  readonly clock: ClusterClock;
  readonly sealer: Sealer;
}

/** What every process of ours has, whatever it does: Redis, time, the bus, who else lives, the breakers, the backends. */
export interface ClusterNode {
  readonly id: string;
  readonly version: string;
  readonly config: Config;
  readonly log: Log;
  readonly roles: readonly Role[];
  readonly random: Random;
  readonly clock: ClusterClock;
  readonly redis: RedisClient;
  readonly sealer: Sealer;
  readonly questions: QuestionCodec;
  readonly bus: StreamClient;
  readonly membership: Membership;
  /** For a bus server of this node: its own connections, made as the node's. */
  readonly connect: ConnectionFactory;
  readonly adapters: ReadonlyMap<string, Adapter>;
  readonly gates: Gates;
  /** Of calls, by backend. */
  readonly callTimes: LatencyFamily;
  readonly backends: BackendPort;
  readonly registry: RedisSessionRegistry;
  readonly known: RedisKnownViewers;
  /** For those who do not wait for their writes: tried again where Redis was too busy. */
  readonly patient: { readonly registry: SessionRegistry; readonly known: KnownViewers };
  /** What the gateway decides itself; of a worker: nothing. */
  readonly rules: Rules;
  /** Who is refused, or let in unasked, until a time. */
  readonly holds: ClusterHolds;
  /** Which backends and routes operators took out of use until a time. */
  readonly switches: ClusterSwitches;
  /** Which backends answer the operator's own requests wrongly. */
  readonly canaries: ClusterCanaries;
  /** Every process forgets what it keeps of a user: he paid, or was cut off, this minute. */
  readonly refresh: RefreshUser;
  /** Every process forgets a known viewer whom his backend refuses when it is asked again. */
  readonly denyViewer: DenyViewer;
  /** Lifecycle events that no script writes. */
  readonly events: EventWriter;
  /** Those of them that are few: they wait while Redis is away. */
  readonly owed: Pick<OwedEvents, 'tell'>;
  /** Whose backend may be asked again. */
  readonly renewals: ClusterRenewals;
  readonly settle: Settle;
  /** The caps on devices. */
  readonly limits: NodeLimits;
  /** What happens to breakers and the control stream is told here. */
  readonly news: Announcer;
  /** Leaves the cluster; `redis` and `clock` stay open. */
  close(): Promise<void>;
}

/** Gateways decide by rules, and control explains them. */
const READ_RULES: ReadonlySet<Role> = new Set<Role>(['gateway', 'control']);
const NONE = Object.freeze({ version: 0, ofRoute: () => undefined, close: () => Promise.resolve() });

/**
 * Joins the cluster. Redis may be away: the node goes on alone and joins when it comes.
 * @throws ConfigError for a file of rules that cannot be used; nothing is left running then
 */
export async function startNode(options: NodeOptions): Promise<ClusterNode> {
  const { config, log, id, host, version, roles, random, redis, clock, sealer } = options;
  // First: a list that cannot be read stops the start.
  const rules = roles.some((role) => READ_RULES.has(role))
    ? await createRules(config, { clock, log, random })
    : NONE;
  const open = connectionFactory(config.redis);
  const connect: ConnectionFactory = (role) =>
    open({ ...BUS_REDIS_OPTIONS, connectionName: `usher-${id}-${role}` });
  const shared = { connect, id, now: () => clock.now() };
  const membership = new Membership({ ...shared, role: roles.join('+'), host, version });
  const bus = new StreamClient({ ...shared, membership });
  const callTimes = new LatencyFamily();
  const adapters = new Map(
    Object.entries(config.backends).map(([name, backend]) => [
      name,
      timedAdapter(createAdapter(name, backend, { clock }), callTimes.of(name)),
    ]),
  );
  const { shards } = config.redis;
  const closings = closingNews(bus, log);
  const registry = new RedisSessionRegistry(redis, clock, {
    shards,
    onClosed: (names, how) => closings.note(names, how),
    onGarbage: (error) => log.warn({ error }, 'a session record in Redis is none of ours'),
  });
  const known = new RedisKnownViewers(redis, { shards, knownFor: config.gateway.knownFor });
  const patient = { registry: patientRegistry(registry), known: patientKnownViewers(known) };
  const events = new EventWriter(redis, clock, { shards });
  const owed = new OwedEvents(redis, clock, log, { shards });
  const holds = clusterHolds({ redis, bus, clock, log, events: owed });
  const traits = traitsOf(config);
  const store = new RenewalStore(redis, clock);
  const renewed = renewals({ store, registry, sealer, clock, random, traits, log });
  const settle = settlement({ config, clock, log, holds, renewals: renewed, ...patient });
  const news = new Announcer(log);
  const switches = clusterSwitches({
    config,
    redis,
    bus,
    clock,
    log,
    events: owed,
    onChange: (change) => news.switched(change),
  });
  const onRefreshed = (refreshed: RefreshedUser): void => news.refreshed(refreshed);
  const refresh = userRefresh({ config, redis, bus, clock, onRefreshed });
  const onDenied = (denied: DeniedViewer): void => news.denied(denied);
  const denyViewer = deniedViewers({ redis, known, shards, bus, clock, onDenied });
  const identities = identified();
  const limits = nodeLimits({ config, clock, log, redis, registry, holds });
  const onLate = lateAnswers({
    config,
    clock,
    log,
    registry,
    limits: limits.limits,
    holds,
    settle,
    questionOf: (check) => identities.of(check),
  });
  const tellTurn = breakerEvents(owed);
  const tellOfGuard = suspicionEvents({ events: owed, clock, by: id });
  // Guard and canaries suspect each for itself: the end of one is not the end of both.
  const suspected = (backend: string, suspicion: Suspicion | undefined): void =>
    news.suspicious(backend, suspicion ?? gates.gates.get(backend)?.status().suspicion);
  const canaries = clusterCanaries({
    config,
    redis,
    bus,
    clock,
    log,
    onChange: suspected,
    onLapse: (backend, until) => void tellLapse(owed, backend, until),
  });
  const guards = clusterGuards(membership);
  const gates = openGates({
    config,
    adapters: [...adapters.values()],
    clock,
    random,
    log,
    cluster: peersOf(membership, { id, host }, roles),
    redis,
    announce: (event) => {
      announce(bus, log, event);
      tellTurn(event);
    },
    ...sealedChecks(sealer),
    onLate,
    onChange: (backend: string, now: BreakerRecord, before: BreakerRecord) =>
      news.breaker(backend, now, before),
    isSwitched: (backend) => switches.ofBackend(backend) !== undefined,
    onSuspicious: (backend, suspicion) => {
      suspected(backend, suspicion);
      // Where another one suspects it already, that one has told.
      const isNews = suspicion === undefined || guards.ofOthers(backend)?.suspicion === undefined;
      if (isNews) tellOfGuard(backend, suspicion);
    },
    guardsElsewhere: (backend) => guards.ofOthers(backend),
    canaries: (backend) => canaries.ofBackend(backend),
    onIsolated: (backend: string, isolated: boolean) => news.isolated(backend, isolated),
  });
  guards.tell(gates.reports);
  bus.events.on(BREAKER, (event) => gates.board.heard(event as BreakerEvent));
  closings.hear((names, how) => (how === 'idle' ? news.idle(names) : news.closed(names)));
  bus.events.onGap(() => {
    news.gap();
    void gates.board.reread();
    void holds.look();
    void switches.look();
    void canaries.look();
  });
  bus.events.start();
  await Promise.all([
    membership.start(),
    bus.connect().catch(() => undefined),
    gates.board.start(),
    // Whoever is held is refused from the first check on, what is switched is not asked, what is suspicious not believed.
    holds.look(),
    switches.look(),
    canaries.look(),
  ]);
  return {
    id,
    version,
    config,
    log,
    roles,
    random,
    clock,
    redis,
    sealer,
    bus,
    membership,
    connect,
    adapters,
    gates,
    callTimes,
    news,
    questions: questionCodec(sealer),
    registry,
    known,
    patient,
    rules,
    holds,
    switches,
    canaries,
    refresh,
    denyViewer,
    events,
    owed,
    renewals: renewed,
    settle,
    limits,
    backends: identities.noting(new GatedBackends(gates.gates, config.groups, clock)),
    close: async () => {
      gates.board.stop();
      owed.stop();
      holds.stop();
      switches.stop();
      canaries.stop();
      await closings.flush();
      await membership.leave();
      await Promise.all([bus.close(), rules.close()]);
      await Promise.all([...adapters.values()].map((adapter) => adapter.close()));
    },
  };
}

/** The event by which processes tell one another of breakers. */
const BREAKER = 'breaker';

/** While Redis is away nobody hears it; each process then decides by itself. */
function announce(bus: StreamClient, log: Log, event: BreakerEvent): void {
  bus.emit(BREAKER, event).subscribe({
    error: (error: unknown) => log.debug({ error, kind: event.kind }, 'a breaker’s news could not be told'),
  });
}

const CHECK = 'check';

function sealedChecks(sealer: Sealer) {
  return {
    seal: (check: Check): string => sealer.seal(JSON.stringify(check), CHECK),
    unseal: (sealed: string): Check | undefined => {
      const text = sealer.open(sealed, CHECK);
      return text === undefined ? undefined : (JSON.parse(text) as Check);
    },
  };
}
