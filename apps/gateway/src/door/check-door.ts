import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  identify,
  type CheckContext,
  type KeptDecisions,
  type Ladder,
  type ObserveMode,
  type Route,
  type Routed,
  type Settled,
  type TraitsByBackend,
  type Unidentified,
} from '#usher/decisions';
import { BadRequest, type EdgeAnswer, type EdgeFacts } from '#usher/dialects';
import type { Check, Clock, Decision, DialectName, Log } from '#usher/domain';
import type { CheckMetrics, ThrottledLog } from '#usher/observe';
import type { ShownBefore } from '#usher/sessions';
import type { Asker, AskerOf } from '../edges/asker.js';
import type { EdgeDirectory, KnownEdge } from '../edges/edge-directory.js';
import { edgeTtl, grantedTtl, type EdgeTtls } from './edge-ttl.js';
import type { GistMemory } from './gist-memory.js';
import type { Memory } from './memory.js';
import { flatHeaders, writeAnswer, writeExplained, writeProblem, type ReplyStyle } from './reply.js';
import { Visits, type Visit } from './visits.js';

export interface CheckDoorParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Who is no edge of ours is told of now and then, not with each request. */
  readonly strangers: ThrottledLog;
  readonly directory: EdgeDirectory;
  readonly askerOf: AskerOf;
  readonly routeOf: (check: Routed) => Route;
  readonly backends: TraitsByBackend;
  readonly ladder: Pick<Ladder, 'decide' | 'publish' | 'unrouted'>;
  readonly observeMode: Pick<ObserveMode, 'decide'>;
  readonly kept: KeptDecisions;
  readonly memory: Memory;
  readonly gists: GistMemory;
  readonly visits: Visits;
  readonly metrics: CheckMetrics;
  readonly style: ReplyStyle;
  readonly nextId: () => string;
  /** Every check is answered within it, ms. */
  readonly deadline: number;
  /** Longer request lines get 414, larger headers 431; bytes. */
  readonly limits: { readonly requestLine: number; readonly headers: number };
  /** An edge that is named by its address was asked from by this address, with these headers. */
  readonly watchHops: (edge: string, address: string, headers: IncomingMessage['headers']) => void;
  /** Each hears of every check that memory did not answer, once its answer is written. One that breaks harms nobody. */
  readonly bookkeepers: readonly Bookkeeper[];
  /** Astra's webhook says that sessions ended; the body is as it came. */
  readonly closed: (edge: string, body: string) => Promise<unknown>;
  /** The edge names sessions that ended. */
  readonly ended: (edge: string, sessionIds: readonly string[]) => Promise<unknown>;
  readonly ttls: EdgeTtls;
}

/** `asker`: the address from which the edge asks. */
export type Bookkeeper = (context: CheckContext, settled: Settled, asker: string) => void;

/** Nothing came with it. */
const NO_BODY = Buffer.alloc(0);
const WEBHOOK_METHODS: ReadonlySet<string> = new Set(['POST']);
/** We broke over it. */
const BROKEN: Decision = {
  allow: false,
  source: 'overload',
  reason: 'overload-refused',
  because: 'us',
};

/** Where edges knock: names the edge, reads its language, asks the ladder, answers in its language. */
export class CheckDoor {
  constructor(private readonly parts: CheckDoorParts) {}

  /** Never rejects; every request is answered, or its connection ends where we broke and the edge knows better. */
  async answer(request: IncomingMessage, response: ServerResponse, body: Buffer = NO_BODY): Promise<void> {
    try {
      await this.admit(request, response, body);
    } catch (error) {
      if (error instanceof BadRequest) return writeProblem(response, 400, error.message);
      this.broke(error);
      // Nobody knows who was asked about: the edge does what it does without us. What is written is on its way.
      if (!response.writableEnded) request.socket.destroy();
    }
  }

  private async admit(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const { limits, directory } = this.parts;
    const url = request.url ?? '/';
    if (url.length > limits.requestLine) {
      return writeProblem(response, 414, `the request line is longer than ${limits.requestLine} bytes`);
    }
    if (headerBytes(request) > limits.headers) {
      return writeProblem(response, 431, `the headers are larger than ${limits.headers} bytes`);
    }
    const { path, query } = split(url);
    const asker = this.asker(request);
    const edge = directory.resolve(path, asker.address);
    if (edge.kind === 'unknown') {
      this.parts.strangers.warn(edge.sentence, { reason: 'unknown-edge' }, edge.sentence);
      return writeProblem(response, 403, edge.sentence);
    }
    const methods = edge.action === 'closed' ? WEBHOOK_METHODS : edge.type.methods;
    if (methods !== 'any' && !methods.has(request.method ?? '')) {
      return writeProblem(response, 405, `this address is asked with ${[...methods].join(' or ')}`);
    }
    if (edge.action === 'closed') return this.sessionsClosed(response, edge, body);
    await this.asked(request, response, edge, query, body, asker);
  }

  private async asked(
    request: IncomingMessage,
    response: ServerResponse,
    edge: KnownEdge,
    query: string,
    body: Buffer,
    asker: Asker,
  ): Promise<void> {
    const { clock, style, nextId } = this.parts;
    const arrived = clock.monotonic();
    const { method = '', headers } = request;
    const remoteAddress = asker.address;
    const forwardedFor = forwardedByEdge(edge, asker);
    const asked = edge.dialect.parse({
      method,
      path: edge.rest,
      query,
      headers,
      body,
      forwardedFor,
      remoteAddress,
    });
    if (asked.kind === 'check') {
      return this.check(request, response, edge, asked.facts, arrived, asker);
    }
    if (asked.kind === 'ended') await this.settled(edge, this.parts.ended(edge.name, asked.sessionIds));
    if (asked.kind === 'answered' && asked.complaint !== undefined) this.complain(edge, asked.complaint);
    writeAnswer(response, style, asked.answer, flatHeaders(asked.answer), 'rule', nextId());
  }

  private async check(
    request: IncomingMessage,
    response: ServerResponse,
    edge: KnownEdge,
    facts: EdgeFacts,
    arrived: number,
    asker: Asker,
  ): Promise<void> {
    const { clock, metrics, nextId, bookkeepers } = this.parts;
    let found: Found;
    let answer: EdgeAnswer | undefined;
    let tookMs: number;
    try {
      found = await this.found(facts, edge, nextId(), arrived);
      tookMs = clock.monotonic() - arrived;
      answer = this.reply(request, response, edge, facts, found);
    } catch (error) {
      return this.refuse(response, edge, facts, error);
    }
    // The answer is written: nothing from here on changes it.
    const { context, settled } = found;
    const { decision } = settled;
    this.noted(() => {
      metrics.count(edge.type.name, decision.allow, decision.source);
      metrics.rung(decision.source).observe(tookMs);
    });
    if (answer !== undefined) this.noted(() => this.remember(request, edge, facts, found, answer, asker));
    this.noted(() => this.tell(context.check, decision));
    if (edge.isByAddress && !asker.isProxied && edge.type.name !== 'forward') {
      this.noted(() => this.parts.watchHops(edge.name, asker.address, request.headers));
    }
    for (const keep of bookkeepers) this.noted(() => keep(context, settled, asker.address));
  }

  /** What was answered; undefined where it must not be said by heart. */
  private reply(
    request: IncomingMessage,
    response: ServerResponse,
    edge: KnownEdge,
    facts: EdgeFacts,
    { context, settled }: Found,
  ): EdgeAnswer | undefined {
    const { style } = this.parts;
    const { decision } = settled;
    if (decision.silent) {
      request.socket.destroy();
      return undefined;
    }
    const answer = edge.dialect.render(this.told(settled, edge), facts);
    if (facts.byHand) {
      writeExplained(response, style, answer, decision, context.check.id);
      return undefined;
    }
    writeAnswer(response, style, answer, flatHeaders(answer), decision.source, context.check.id);
    return answer;
  }

  /** We broke over a check. An edge that lets viewers in when it reaches nobody does so where nobody answers. */
  private refuse(
    response: ServerResponse,
    { type, dialect }: KnownEdge,
    facts: EdgeFacts,
    error: unknown,
  ): void {
    if (type.opensWhenAlone || response.headersSent) throw error;
    this.broke(error);
    const { style, nextId } = this.parts;
    const answer = dialect.render(BROKEN, facts);
    writeAnswer(response, style, answer, flatHeaders(answer), BROKEN.source, nextId());
  }

  private broke(error: unknown): void {
    this.parts.log.error({ error }, 'a request could not be answered');
  }

  /** What is written down about a check never stands in its way. */
  private noted(note: () => void): void {
    try {
      note();
    } catch (error) {
      this.parts.strangers.warn(
        'bookkeeping',
        { error },
        'an answer that was given could not be written down',
      );
    }
  }

  /** With how long the edge may rely on it, where its dialect can say so. */
  private told(settled: Settled, { type, ttl }: KnownEdge): Decision {
    const { clock, ttls } = this.parts;
    const { decision } = settled;
    if (type.tellsTtl === false) return decision;
    const now = clock.monotonic();
    const left = type.tellsTtl === 'granted' ? grantedTtl(settled, now) : edgeTtl(settled, ttl, now, ttls);
    return { ...decision, edgeTtl: left };
  }

  /** What is remembered of an answer that a token changes at once would outlive the token's coming. */
  private remember(
    request: IncomingMessage,
    edge: KnownEdge,
    facts: EdgeFacts,
    { settled: { decision, kept }, visit }: Found,
    answer: EdgeAnswer,
    { isProxied }: Asker,
  ): void {
    const { memory, gists } = this.parts;
    const { type, dialect } = edge;
    if (dialect.gist !== undefined && !isProxied) gists.learn(request, edge);
    if (kept === undefined) return;
    if (type.isRemembered) memory.keep(request, type.name, kept, answer);
    const isShown = facts.visit?.isShown === true;
    if (dialect.gist !== undefined && (isShown || decision.allow)) gists.keep(request, kept, answer, visit);
  }

  /** Decides about it: where it shows no credentials, with those that its viewer showed before. */
  private async found(facts: EdgeFacts, edge: KnownEdge, id: string, arrived: number): Promise<Found> {
    const { visits } = this.parts;
    const key = Visits.keyOf(edge.name, facts);
    const asItIs = async (): Promise<Found> => {
      const context = this.contextOf(facts, edge, id, arrived);
      return { context, settled: await this.decide(context), visit: undefined };
    };
    if (key === undefined) return asItIs();
    if (facts.visit?.isShown === true) {
      const found = await asItIs();
      const isOpen = found.settled.decision.allow && found.settled.kept?.session !== undefined;
      return { ...found, visit: isOpen ? visits.note(key, facts, edge.follow) : undefined };
    }
    const goOn = (shown: readonly ShownBefore[]): Promise<Found | undefined> =>
      this.goneOn(facts, edge, id, arrived, key, shown);
    const gone = (await goOn(visits.here(key))) ?? (await goOn(await visits.elsewhere(key)));
    if (gone !== undefined) return gone;
    const alone = await asItIs();
    if (alone.settled.decision.allow) return alone;
    // His token may have come to another gateway a moment ago.
    return (await goOn(await visits.elsewhere(key))) ?? alone;
  }

  /** It goes on as the session of the first of these that may; undefined: there are none. */
  private async goneOn(
    facts: EdgeFacts,
    edge: KnownEdge,
    id: string,
    arrived: number,
    key: string,
    shown: readonly ShownBefore[],
  ): Promise<Found | undefined> {
    const { visits } = this.parts;
    let last: Found | undefined;
    for (const before of shown) {
      const context = this.contextOf({ ...facts, ...before }, edge, id, arrived);
      const settled = await this.decide(context);
      const { allow, because } = settled.decision;
      last = { context, settled, visit: allow ? visits.note(key, before, edge.follow) : undefined };
      if (allow) return last;
      if (because === undefined) visits.forget(key, before);
    }
    return last;
  }

  private contextOf(facts: EdgeFacts, edge: KnownEdge, id: string, arrived: number): CheckContext {
    const { routeOf, backends, deadline } = this.parts;
    const { type } = edge;
    const asked = unidentified(facts, id, edge.name, type.name);
    const route = routeOf(asked);
    const { check, identity, credential } = identify(asked, facts.givenSessionId, route, backends);
    return {
      check,
      identity,
      credential,
      route,
      habit: type.habit,
      opensWhenAlone: type.opensWhenAlone,
      lacksCredentials: facts.lacksCredentials,
      asksAgainWithin: type.habit === 'again' ? edge.ttl : undefined,
      deadline: arrived + Math.min(deadline, edge.deadline ?? deadline),
    };
  }

  private decide(context: CheckContext): Promise<Settled> {
    const { ladder, observeMode } = this.parts;
    const { isGap, mode, target } = context.route;
    if (context.check.action === 'publish') return ladder.publish(context);
    if (isGap) return Promise.resolve(ladder.unrouted(context));
    return mode === 'observe' && target !== undefined
      ? observeMode.decide(context, target)
      : ladder.decide(context);
  }

  private async sessionsClosed(response: ServerResponse, edge: KnownEdge, body: Buffer): Promise<void> {
    await this.settled(edge, this.parts.closed(edge.name, body.toString('utf8')));
    response.writeHead(204).end();
  }

  private async settled(edge: KnownEdge, closing: Promise<unknown>): Promise<void> {
    await closing.catch((error: unknown) => {
      // The edge cannot do anything about it; its list tells the same, or the session's time runs out.
      this.parts.log.warn({ error, edge: edge.name }, 'a closed session could not be noted');
    });
  }

  /** Said now and then: the edge's operator has to do something about it. */
  private complain({ name }: KnownEdge, complaint: string): void {
    const key = `${name}: ${complaint}`;
    this.parts.strangers.warn(key, { edge: name, reason: 'misconfigured-edge' }, key);
  }

  private asker(request: IncomingMessage): Asker {
    const forwarded = request.headers['x-forwarded-for'];
    return this.parts.askerOf(request.socket.remoteAddress ?? '', String(forwarded ?? ''));
  }

  private tell({ id, edge, channel, ip }: Check, decision: Decision): void {
    const { log } = this.parts;
    const { source, reason, backend, user, status, tookMs } = decision;
    const fields = { id, edge, channel, ip, source, reason, backend, user, status, tookMs: rounded(tookMs) };
    if (decision.allow && decision.because === undefined) log.debug(fields, 'allowed');
    else log.info(fields, decision.allow ? 'allowed without a decision' : 'denied');
  }
}

/** What was decided about a request, and as whose. */
interface Found {
  readonly context: CheckContext;
  readonly settled: Settled;
  readonly visit: Visit | undefined;
}

/**
 * Behind a load balancer of ours the hops before the edge's own are its words; but only where the edge is known by its
 * address: else a proxy that is listed as a load balancer by mistake would have its viewers name their addresses.
 */
function forwardedByEdge(edge: KnownEdge, { address, forwardedFor, isProxied }: Asker): string {
  return isProxied && !edge.isAddress(address) ? '' : forwardedFor;
}

/** Field by field: as copies of each other checks cost several times as much (measured). */
function unidentified(facts: EdgeFacts, id: string, edge: string, dialect: DialectName): Unidentified {
  const { channel, ip, path, userAgent, host, origin, query } = facts;
  const { action, token, authorization, referer, protocol, dvr, place } = facts;
  return {
    id,
    edge,
    dialect,
    channel,
    ip,
    path,
    userAgent,
    host,
    origin,
    query,
    action,
    token,
    authorization,
    referer,
    protocol,
    dvr,
    place,
  };
}

function split(url: string): { path: string; query: string } {
  const mark = url.indexOf('?');
  return mark === -1 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

/** As on the wire: name, colon, space, value, line end. */
function headerBytes(request: IncomingMessage): number {
  let bytes = 0;
  for (const text of request.rawHeaders) bytes += text.length + 2;
  return bytes;
}

/** Tenths of a millisecond are enough for a log. */
function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10;
}
