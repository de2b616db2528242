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
} from '#usher/decisions';
import { BadRequest, DIALECTS, type Dialect, type EdgeFacts } from '#usher/dialects';
import type { Check, Clock, Log } from '#usher/domain';
import type { CheckMetrics, ThrottledLog } from '#usher/observe';
import type { AskerOf } from '../edges/asker.js';
import type { EdgeDirectory, KnownEdge } from '../edges/edge-directory.js';
import type { Memory } from './memory.js';
import { flatHeaders, writeAnswer, writeExplained, writeProblem, type ReplyStyle } from './reply.js';

export interface CheckDoorParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Who is no edge of ours is told of now and then, not with each request. */
  readonly strangers: ThrottledLog;
  /** Called with each check that memory did not answer. */
  readonly watch: (edge: string, address: string) => void;
  readonly directory: EdgeDirectory;
  readonly askerOf: AskerOf;
  readonly routeOf: (check: Routed) => Route;
  readonly backends: TraitsByBackend;
  readonly ladder: Ladder;
  readonly observeMode: ObserveMode;
  readonly kept: KeptDecisions;
  readonly memory: Memory;
  readonly metrics: CheckMetrics;
  readonly style: ReplyStyle;
  readonly nextId: () => string;
  /** Every check is answered within it, ms. */
  readonly deadline: number;
  /** Longer request lines get 414, larger headers 431; bytes. */
  readonly limits: { readonly requestLine: number; readonly headers: number };
  /** Where answers are recorded for `why`. */
  readonly record: (check: Check, settled: Settled) => void;
  /** The edge says that sessions ended; the body is as it came. */
  readonly closed: (edge: string, body: unknown) => Promise<unknown>;
}

/** Where edges knock: names the edge, reads its language, asks the ladder, answers in its language. */
export class CheckDoor {
  constructor(private readonly parts: CheckDoorParts) {}

  /** Never rejects; every request is answered. */
  async answer(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
    try {
      await this.admit(request, response, body);
    } catch (error) {
      if (error instanceof BadRequest) return writeProblem(response, 400, error.message);
      this.parts.log.error({ error }, 'a request could not be answered');
      if (!response.headersSent) writeProblem(response, 403, 'Usher could not answer; see its log.');
      else response.destroy();
    }
  }

  private async admit(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
    const { limits, directory } = this.parts;
    const url = request.url ?? '/';
    if (url.length > limits.requestLine) {
      return writeProblem(response, 414, `the request line is longer than ${limits.requestLine} bytes`);
    }
    if (headerBytes(request) > limits.headers) {
      return writeProblem(response, 431, `the headers are larger than ${limits.headers} bytes`);
    }
    const { path, query } = split(url);
    const edge = directory.resolve(path, this.asker(request));
    if (edge.kind === 'unknown') {
      this.parts.strangers.warn(edge.sentence, { reason: 'unknown-edge' }, edge.sentence);
      return writeProblem(response, 403, edge.sentence);
    }
    if (edge.action === 'closed') return this.sessionsClosed(request, response, edge, body);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return writeProblem(response, 405, 'a check is a GET');
    }
    await this.check(request, response, edge, query);
  }

  private async check(
    request: IncomingMessage,
    response: ServerResponse,
    edge: KnownEdge,
    query: string,
  ): Promise<void> {
    const { clock, memory, metrics, style, nextId } = this.parts;
    const arrived = clock.monotonic();
    const dialect = DIALECTS[edge.dialect];
    const facts = dialect.parse({ query, headers: request.headers, remoteAddress: this.asker(request) });
    const context = this.contextOf(facts, edge, dialect, nextId(), arrived);
    this.parts.watch(edge.name, facts.ip);
    const settled = await this.decide(context);
    const { decision, kept } = settled;
    metrics.count(dialect.name, decision.allow, decision.source);
    metrics.rung(decision.source).observe(clock.monotonic() - arrived);
    this.record(context.check, settled);
    if (decision.silent) return void request.socket.destroy();
    const answer = dialect.render(decision);
    if (facts.byHand) return writeExplained(response, style, answer, decision, context.check.id);
    writeAnswer(response, style, answer.status, flatHeaders(answer), decision.source, context.check.id);
    // Only what could be written is written again: nobody would catch it there.
    if (kept !== undefined) memory.keep(request, dialect.name, kept, answer);
  }

  private contextOf(
    facts: EdgeFacts,
    edge: KnownEdge,
    dialect: Dialect,
    id: string,
    arrived: number,
  ): CheckContext {
    const { routeOf, backends, deadline } = this.parts;
    const { channel, ip, path, userAgent, host, origin, query, givenSessionId } = facts;
    const asked = {
      id,
      edge: edge.name,
      dialect: facts.dialect,
      channel,
      ip,
      path,
      userAgent,
      host,
      origin,
      query,
    };
    const route = routeOf(asked);
    const { check, identity, credential } = identify(asked, givenSessionId, route, backends);
    return {
      check,
      identity,
      credential,
      route,
      habit: dialect.habit,
      opensWhenAlone: dialect.opensWhenAlone,
      deadline: arrived + Math.min(deadline, edge.deadline ?? deadline),
    };
  }

  private decide(context: CheckContext): Promise<Settled> {
    const { ladder, observeMode } = this.parts;
    const { isGap, mode, target } = context.route;
    if (isGap) return Promise.resolve(ladder.unrouted(context));
    return mode === 'observe' && target !== undefined
      ? observeMode.decide(context, target)
      : ladder.decide(context);
  }

  private async sessionsClosed(
    request: IncomingMessage,
    response: ServerResponse,
    edge: KnownEdge,
    body: unknown,
  ): Promise<void> {
    if (request.method !== 'POST') return writeProblem(response, 405, 'the sessions webhook is a POST');
    await this.parts.closed(edge.name, body).catch((error: unknown) => {
      // The edge cannot do anything about it, and its list will tell the same.
      this.parts.log.warn({ error, edge: edge.name }, 'a closed session could not be noted');
    });
    response.writeHead(204).end();
  }

  private asker(request: IncomingMessage): string {
    const forwarded = request.headers['x-forwarded-for'];
    return this.parts.askerOf(request.socket.remoteAddress ?? '', String(forwarded ?? ''));
  }

  private record(check: Check, settled: Settled): void {
    const { decision } = settled;
    this.parts.record(check, settled);
    const { log } = this.parts;
    const { id, edge, channel, ip } = check;
    const { source, reason, backend, user, status, tookMs } = decision;
    const fields = { id, edge, channel, ip, source, reason, backend, user, status, tookMs: rounded(tookMs) };
    if (decision.allow && decision.because === undefined) log.debug(fields, 'allowed');
    else log.info(fields, decision.allow ? 'allowed without a decision' : 'denied');
  }
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
