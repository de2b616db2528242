import {
  Asker,
  compileRoutes,
  KeptDecisions,
  KnownMemory,
  Ladder,
  Limiting,
  ObserveMode,
  sessionLife,
  SharedAnswers,
  SingleFlight,
  StandIn,
  traitsOf,
  Verdicts,
  Why,
  type Asking,
  type CheckContext,
} from '#usher/decisions';
import type { Holds, Rules } from '#usher/domain';
import { limitRows, switchSentence, type ClusterNode } from '#usher/node';
import {
  CheckMetrics,
  METRICS,
  NestLog,
  ThrottledLog,
  type HealthContribution,
  type Metrics,
} from '#usher/observe';
import { SessionsWebhook, VisitStore } from '#usher/sessions';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { checkEvents } from './check-events.js';
import { CheckDoor } from './door/check-door.js';
import { checkIds } from './door/check-ids.js';
import { closeEdgeServer, createEdgeServer } from './door/edge-server.js';
import { GistMemory } from './door/gist-memory.js';
import { Memory } from './door/memory.js';
import type { ReplyStyle } from './door/reply.js';
import { Visits } from './door/visits.js';
import { askerReader } from './edges/asker.js';
import { EdgeDirectory } from './edges/edge-directory.js';
import { networkTest } from './edges/networks.js';
import { oneAddressWatch } from './edges/one-address.js';
import { unlistedProxyWatch } from './edges/unlisted-proxy.js';
import { endedByEdge } from './ended.js';
import { HeldRenewals } from './held-renewals.js';
import { outages } from './outages.js';
import { questionBus } from './question-bus.js';
import { questionKeys } from './question-keys.js';
import { forgetsUsers } from './refresh.js';
import { registryCare } from './registry-care.js';
import { protection } from './protection/node-protection.js';
import { viewersByStanding } from './viewers.js';

/** What is in flight has been answered by its deadline; connections that linger are cut so long after it, ms. */
const LINGER = 500;

export interface GatewayParts {
  readonly node: ClusterNode;
  readonly metrics: Metrics;
}

export interface Gateway {
  readonly health: HealthContribution;
  /** The port that it answers on. */
  readonly port: number;
  /** Edges are told to close their connections: their next check goes to a living gateway. */
  drain(): void;
  /** Answers what is in flight, flushes the sessions, and is gone. */
  close(): Promise<void>;
}

/** Answers edges. Starts without Redis, without workers, and without a backend that answers. */
export async function startGateway(parts: GatewayParts): Promise<Gateway> {
  const { node } = parts;
  const { config, log } = node;
  const style: ReplyStyle = { answerHeaders: config.gateway.answerHeaders, draining: false };
  const door = openDoor(parts, style);
  const app = await createEdgeServer({
    ...door,
    logger: new NestLog(log),
    maxHead: config.gateway.maxRequestLine + config.gateway.maxHeaders,
    maxRequestLine: config.gateway.maxRequestLine,
    ...(config.gateway.proxyProtocol
      ? { proxyProtocolFrom: networkTest(config.gateway.proxies, 'gateway.proxies') }
      : {}),
  });
  // Whoever is answered may be told to be over at once: what the cluster tells is heard before the first check comes.
  const care = registryCare(node, door);
  const end = async (): Promise<void> => {
    await Promise.all([care.close(), door.ledger.close(), door.why.close()]);
  };
  let port: number;
  try {
    port = await listen(app, config.gateway.listen);
  } catch (error) {
    await end();
    throw error;
  }
  let listening = true;
  return {
    port,
    health: {
      name: 'gateway',
      ready: () => listening && !style.draining,
      degraded: () => degradations(node),
      details: () => ({
        sessions: door.kept.size,
        backends: Object.fromEntries(door.kept.counts),
        holds: node.holds.size,
        switches: Array.from(node.switches.all(), switchSentence),
      }),
    },
    drain: () => {
      style.draining = true;
    },
    close: async () => {
      listening = false;
      style.draining = true;
      await closeEdgeServer(app, config.gateway.deadline + LINGER);
      await end();
    },
  };
}

/** Everything behind the edges' port. */
function openDoor({ node, metrics }: GatewayParts, style: ReplyStyle) {
  const { config, clock, backends, gates, log, holds, rules } = node;
  // No viewer waits for what is written here.
  const { registry } = node.patient;
  const { cacheEntries, knownEntries, knownFor, answerTtl, grace } = config.gateway;
  const checkMetrics = new CheckMetrics(metrics);
  const traits = traitsOf(config);
  const kept = new KeptDecisions(clock, cacheEntries, changing(holds, rules));
  const shared = new SharedAnswers(clock, answerTtl, cacheEntries);
  const known = new KnownMemory(clock, node.patient.known, knownFor, knownEntries);
  const renewals = new HeldRenewals(node.renewals);
  const ledger = outages(node);
  const standIn = new StandIn(clock, known, ledger);
  const asker = new Asker(clock, gates.board, questionBus(node), backends, known, node.switches);
  const keyOf = questionKeys(node);
  const life = sessionLife(config);
  const times = { ...life, grace, denial: answerTtl.deny };
  const verdicts = new Verdicts({ clock, registry, known, holds, renewals, backends: traits, times });
  const limits = config.limits.mode === 'off' ? undefined : node.limits.limits;
  const ladder = new Ladder({
    clock,
    registry,
    switches: node.switches,
    asker,
    kept,
    shared,
    standIn,
    verdicts,
    limiting: limits === undefined ? undefined : new Limiting({ clock, config, limits, holds }),
    flights: new SingleFlight<Asking>(),
    backends: traits,
    questionKey: ({ check }: CheckContext, target) => keyOf(check, target),
  });
  const nextId = checkIds(node.random);
  const memory = new Memory(clock, kept, checkMetrics, style, nextId, cacheEntries);
  const ttls = { grace, denial: answerTtl.deny };
  const visits = new Visits(clock, new VisitStore(node.redis, node.sealer), cacheEntries);
  const gists = new GistMemory({
    clock,
    kept,
    visits,
    metrics: checkMetrics,
    style,
    nextId,
    ttls,
    entries: cacheEntries,
  });
  const directory = new EdgeDirectory(config.edges, config.gateway.edgesFrom);
  if (directory.isOpen) {
    log.warn({}, 'no edges are configured: whoever asks from an address in gateway.edgesFrom is one');
  }
  const webhook = new SessionsWebhook(node.redis, node.registry, clock);
  const why = new Why({
    clock,
    log,
    redis: node.redis,
    shards: config.redis.shards,
    bounds: config.why,
    namespaceOf: (backend) => traits.get(backend)?.namespace ?? backend,
  });
  const tellOf = checkEvents(node.events, clock);
  metrics.read(METRICS.whyDropped, () => [{ value: why.dropped }]);
  metrics.read(METRICS.cacheEntries, () => [{ value: memory.size + gists.size }]);
  metrics.read(METRICS.knownViewers, () => [{ value: known.size }]);
  if (limits !== undefined) metrics.read(METRICS.limitReached, () => limitRows(limits.counts));
  metrics.read(METRICS.viewers, () => viewersByStanding(kept.counts));
  const guard = protection(node);
  metrics.read(METRICS.protection, () =>
    Array.from(guard?.results.values() ?? [], ({ measure, result, count }) => ({
      value: count,
      labels: { measure, result },
    })),
  );
  const watch = oneAddressWatch(log, clock);
  const door = new CheckDoor({
    clock,
    log,
    directory,
    ladder,
    kept,
    memory,
    style,
    nextId,
    bookkeepers: [
      ({ check }, settled) => why.record(check, settled),
      ({ check }, settled) => ledger.note(check, settled),
      ({ check }, settled) => tellOf(check, settled),
      ({ check }) => watch(check.edge, check.ip),
      (context, settled, asker) => guard?.note(context, settled, asker),
    ],
    closed: (edge, body) => webhook.closed(edge, body),
    ended: endedByEdge(node.registry),
    ttls,
    gists,
    visits,
    backends: traits,
    metrics: checkMetrics,
    strangers: new ThrottledLog(log, clock),
    askerOf: askerReader(config.gateway.proxies),
    watchHops: unlistedProxyWatch(log),
    routeOf: compileRoutes(config, rules),
    observeMode: new ObserveMode(clock, asker, registry, traits, life),
    deadline: config.gateway.deadline,
    limits: { requestLine: config.gateway.maxRequestLine, headers: config.gateway.maxHeaders },
  });
  const { redis } = node;
  const forgetUser = forgetsUsers({
    kept,
    shared,
    known,
    backends: traits,
    redis,
    shards: config.redis.shards,
    log,
  });
  node.news.on('refreshed', forgetUser);
  /** Something may have changed that we did not hear of: what is shared is forgotten, what is kept is looked up once. */
  const forget = (): void => {
    kept.generation += 1;
    shared.clear();
  };
  return { door, memory, gists, kept, known, life, renewals, limits, why, ledger, forget };
}

/** Another number after each change of what is looked at for each check. */
function changing(holds: Holds, rules: Rules): { readonly version: number } {
  return {
    get version() {
      return holds.version + rules.version;
    },
  };
}

function degradations({ redis, membership, gates, switches }: ClusterNode): string[] {
  const words: string[] = [];
  if (redis.away) words.push('Redis is away');
  if (!membership.nodes().some(({ role }) => role.split('+').includes('worker'))) {
    words.push('no worker lives: the gateway asks the backends itself');
  }
  for (const one of switches.all()) words.push(switchSentence(one));
  for (const gate of gates.gates.values()) {
    const { backend, state, alone, isolated } = gate.status();
    if (state !== 'closed') words.push(`backend ${backend} is ${state}`);
    if (isolated) words.push(`backend ${backend} cannot be reached from here`);
    if (alone) words.push(`backend ${backend}: this process decides alone`);
  }
  return words;
}

async function listen(app: NestFastifyApplication, address: string): Promise<number> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  try {
    await app.init();
    // Not by Nest's own listen: it would log an error that we tell in one sentence.
    await app
      .getHttpAdapter()
      .getInstance()
      .listen({ port: Number(address.slice(colon + 1)), host });
  } catch (error) {
    await app.close();
    throw error;
  }
  const bound: unknown = app.getHttpServer().address();
  return typeof bound === 'object' && bound !== null && 'port' in bound ? Number(bound.port) : 0;
}
