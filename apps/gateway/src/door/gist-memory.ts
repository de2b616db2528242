import type { IncomingMessage, ServerResponse } from 'node:http';
import { cacheBounds, type Kept, type KeptDecisions } from '#usher/decisions';
import type { EdgeAnswer } from '#usher/dialects';
import type { Clock } from '#usher/domain';
import type { CheckMetrics } from '#usher/observe';
import { LRUCache } from 'lru-cache';
import type { KnownEdge } from '../edges/edge-directory.js';
import { edgeTtl, type EdgeTtls } from './edge-ttl.js';
import { flatHeaders, writeAnswer, type FlatHeaders, type ReplyStyle } from './reply.js';
import type { Visit, Visits } from './visits.js';

/** Addresses of edges that ask about each request, and who asks at one; more are read anew each time. */
const MOST_LANES = 1_000;
const MOST_ASKERS = 1_000;
const PREFIX = '/e/';
const NO_BODY = Buffer.alloc(0);

/** An edge's address, asked by whom it was found to be asked rightly. */
interface Lane {
  readonly edge: KnownEdge;
  /** Tells it from the others in keys. */
  readonly id: string;
  /** Of the address. */
  readonly length: number;
  readonly askers: Set<string>;
}

interface Remembered {
  readonly kept: Kept;
  readonly status: number;
  headers: FlatHeaders;
  /** Where among the headers the edge is told how long it may rely on it; 0: nowhere. */
  readonly ttlAt: number;
  /** Seconds, as they stand there. */
  ttl: number;
  /** What it goes on with; it is over when that is. */
  readonly visit: Visit | undefined;
}

export interface GistMemoryParts {
  readonly clock: Clock;
  readonly kept: KeptDecisions;
  readonly visits: Visits;
  readonly metrics: CheckMetrics;
  readonly style: ReplyStyle;
  readonly nextId: () => string;
  readonly ttls: EdgeTtls;
  readonly entries: number;
}

/**
 * The hot path of edges that ask about every request: the next segment of a session that is kept is answered again. What
 * counts of a request its dialect says (`gist`); no JSON, no regular expression, nothing awaited.
 */
export class GistMemory {
  private readonly lanes = new Map<string, Lane>();
  private readonly answers: LRUCache<string, Remembered>;

  constructor(private readonly parts: GistMemoryParts) {
    this.answers = new LRUCache(cacheBounds(parts.entries, (_, key) => key.length));
  }

  /** True when it was answered. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    // Nobody here asks so: no other edge's check takes longer for it.
    if (this.lanes.size === 0) return false;
    const { clock, metrics } = this.parts;
    const startedAt = metrics.isTimed ? clock.monotonic() : undefined;
    const url = request.url!;
    const lane = this.lanes.get(url) ?? this.laneOfPath(url);
    if (lane === undefined || !lane.askers.has(request.socket.remoteAddress ?? '')) return false;
    const key = keyOf(lane, request, url);
    const known = key === undefined ? undefined : this.answers.get(key);
    // That it was not known counts where it is looked for next.
    if (known === undefined || !this.isFresh(known)) return false;
    this.write(response, lane.edge, known);
    if (startedAt !== undefined) metrics.timed(known.kept.decision.source, clock.monotonic() - startedAt);
    return true;
  }

  /** `asker` is whom the edge's address was found to be asked by, without a load balancer of ours in between. */
  learn(request: IncomingMessage, edge: KnownEdge): void {
    const address = laneAddress(request.url ?? '', edge);
    if (address === undefined) return;
    let lane = this.lanes.get(address);
    if (lane === undefined) {
      if (this.lanes.size >= MOST_LANES) return;
      this.lanes.set(address, (lane = newLane(edge, address, this.lanes.size)));
    }
    if (lane.askers.size < MOST_ASKERS) lane.askers.add(request.socket.remoteAddress ?? '');
  }

  /** Of a request whose address was learnt; others are not kept. */
  keep(request: IncomingMessage, kept: Kept, answer: EdgeAnswer, visit: Visit | undefined): void {
    const url = request.url ?? '';
    const lane = this.lanes.get(url) ?? this.laneOfPath(url);
    const key = lane && keyOf(lane, request, url);
    if (lane === undefined || key === undefined) return;
    const { ttlHeader } = lane.edge.dialect;
    const headers = flatHeaders(answer);
    const ttlAt = ttlHeader === undefined ? 0 : headers.indexOf(ttlHeader) + 1;
    this.answers.set(key, {
      kept,
      status: answer.status,
      headers,
      ttlAt,
      ttl: ttlAt === 0 ? 0 : Number(headers[ttlAt] ?? 0),
      visit,
    });
  }

  get size(): number {
    return this.answers.size;
  }

  private isFresh({ kept, visit }: Remembered): boolean {
    return this.parts.kept.isFresh(kept) && (visit === undefined || this.parts.visits.isAlive(visit));
  }

  private write(response: ServerResponse, edge: KnownEdge, known: Remembered): void {
    const { clock, kept, visits, metrics, style, nextId, ttls } = this.parts;
    const { decision } = known.kept;
    kept.note(known.kept);
    if (known.visit !== undefined) visits.touch(known.visit);
    metrics.hit();
    metrics.count(edge.type.name, decision.allow, decision.source);
    if (known.ttlAt > 0) {
      const ttl = edgeTtl({ decision, kept: known.kept }, edge.ttl, clock.monotonic(), ttls);
      if (ttl !== undefined && ttl !== known.ttl) retell(known, ttl);
    }
    writeAnswer(response, style, known, known.headers, decision.source, nextId());
  }

  /** Of an edge that puts the viewer's path behind its own: `/e/<edge>/forward/live/…`, with a secret in between or not. */
  private laneOfPath(url: string): Lane | undefined {
    const word = url.indexOf('/', PREFIX.length) + 1;
    const end = word === 0 ? -1 : url.indexOf('/', word);
    if (end === -1) return undefined;
    const lane = this.lanes.get(url.slice(0, end));
    if (lane !== undefined) return lane;
    const behindSecret = url.indexOf('/', end + 1);
    return behindSecret === -1 ? undefined : this.lanes.get(url.slice(0, behindSecret));
  }
}

function newLane(edge: KnownEdge, { length }: string, count: number): Lane {
  return { edge, id: `${count}\n`, length, askers: new Set() };
}

/** What of the request line is the edge's own address; undefined: it was named by another way. */
function laneAddress(url: string, { rest }: KnownEdge): string | undefined {
  if (!url.startsWith(PREFIX)) return undefined;
  if (rest === '') return url;
  const mark = url.indexOf('?');
  return url.slice(0, (mark === -1 ? url.length : mark) - rest.length);
}

function keyOf({ edge, id, length }: Lane, request: IncomingMessage, url: string): string | undefined {
  const mark = url.indexOf('?', length);
  const path = mark === -1 ? url.slice(length) : url.slice(length, mark);
  const query = mark === -1 ? '' : url.slice(mark + 1);
  const { method = '', headers } = request;
  const gist = edge.dialect.gist?.({ method, path, query, headers, body: NO_BODY, remoteAddress: '' });
  return gist === undefined ? undefined : id + gist;
}

function retell(known: Remembered, ttl: number): void {
  const headers = [...known.headers];
  headers[known.ttlAt] = String(ttl);
  known.headers = headers;
  known.ttl = ttl;
}
