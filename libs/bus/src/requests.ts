import type { RequestOptions } from './bus-record.js';
import { encodeData, writeRequest } from './envelope.js';
import type { Metadata, ReplyEnvelope, ReplyRow } from './envelope.js';
import type { BusKeys } from './keys.js';
import type { Line } from './line.js';
import { AWAY, FULL, NOT_TAKEN, PendingRequest, SILENT } from './request.js';
import type { Outcome, Request } from './request.js';
import { RequestWriter } from './request-writer.js';

/** When the time to be taken is over and the message is gone from its stream, "taken" is on its way: wait this long, ms. */
const TAKEN_GRACE_MS = 50;
/** How exact times are kept, ms. */
const LOOK_MS = 10;
/** While all servers are full that is looked at again, ms. */
const FULL_CHECK_MS = 100;
/** So long before the time to be taken is over heartbeats are read anew: what they told may be a second old, ms. */
const NEWS_MS = 30;

export interface RequestStats {
  sent: number;
  answered: number;
  failed: number;
  notTaken: number;
  silent: number;
  full: number;
  away: number;
  cancelled: number;
  /** Replies that nobody waited for any more. */
  late: number;
}

export const NO_REQUESTS: Readonly<RequestStats> = {
  sent: 0,
  answered: 0,
  failed: 0,
  notTaken: 0,
  silent: 0,
  full: 0,
  away: 0,
  cancelled: 0,
  late: 0,
};

export interface RequestsParts {
  readonly line: Line;
  readonly keys: BusKeys;
  readonly id: string;
  readonly now: () => number;
  readonly commandTimeoutMs: number;
  readonly timeoutMs: number;
  readonly lane: string;
  readonly maxBacklog: number;
  readonly maxPending: number;
  readonly isFull: (route: string, lane: string) => boolean;
  /** Reads the heartbeats anew; `isFull` tells what they said as soon as they are there. */
  readonly askForNews: () => void;
}

export interface NewRequest {
  readonly route: string;
  readonly data: unknown;
  readonly options: RequestOptions;
  readonly meta?: Metadata | undefined;
  /** Called with each value that is followed by another or by the end. */
  readonly onValue?: (value: unknown) => void;
  readonly settle: (outcome: Outcome) => void;
}

/** The requests of one client that are under way: written in one batch per tick, settled by replies or by time. */
export class Requests {
  readonly #pending = new Map<number, PendingRequest>();
  readonly #streams = new Map<string, Map<string, { readonly normal: string; readonly low: string }>>();
  #timer: NodeJS.Timeout | undefined;
  readonly #stats: RequestStats = { ...NO_REQUESTS };
  /** Never one that another life of this process used: its replies may still lie in the stream. */
  #nextId = Math.floor(Date.now()) * 1000;
  readonly #writer: RequestWriter;

  constructor(private readonly parts: RequestsParts) {
    this.#writer = new RequestWriter({
      line: parts.line,
      maxBacklog: parts.maxBacklog,
      timeoutMs: parts.commandTimeoutMs,
      onAdded: (request, entryId) => this.#onAdded(request, entryId),
      onRefused: (request, outcome) => request.taken || this.#settle(request, outcome),
      // Not taken by anybody, and nobody can any more.
      onRemoved: (request) => this.#settle(request, NOT_TAKEN),
    });
    parts.line.onLost(() => this.#onLost());
  }

  get pending(): number {
    return this.#pending.size;
  }

  stats(): RequestStats {
    return { ...this.#stats };
  }

  /** Throws TypeError for data that JSON cannot hold. */
  add({ route, data, options, meta, onValue, settle }: NewRequest): Request {
    const { parts } = this;
    const now = parts.now();
    const until = options.deadlineAt ?? now + parts.timeoutMs;
    const by = options.takeWithinMs === undefined ? until : Math.min(until, now + options.takeWithinMs);
    const lane = options.lane ?? parts.lane;
    const encoded = encodeData(data);
    const id = this.#nextId++;
    const mayWait = options.waitWhileFull === true;
    // One that is not withdrawn in time, since Redis went away, must not be taken long after.
    const envelope = {
      id,
      from: parts.id,
      by: Math.ceil(mayWait ? until : by),
      until: Math.ceil(until),
      heard: options.heardWithinMs,
      meta,
    };
    const clock = performance.now();
    const request = new PendingRequest(
      id,
      route,
      lane,
      this.#stream(route, lane, options.low === true),
      writeRequest(envelope, encoded),
      encoded.bytes,
      clock + by - now,
      options.replyWithinMs ?? Infinity,
      options.heardWithinMs ?? Infinity,
      clock + until - now,
      mayWait,
      settle,
      this.#cancel,
    );
    request.onValue = onValue;
    this.#pending.set(id, request);
    if (!parts.line.ready) this.#soon(request, AWAY);
    else if (this.#pending.size > parts.maxPending) this.#soon(request, FULL);
    else this.#send(request);
    return request;
  }

  /** One entry of our stream of replies. */
  onReplies(envelope: ReplyEnvelope, fields: readonly Buffer[]): void {
    for (const id of envelope.taken) this.#onTaken(id);
    let bytesAt = 3;
    for (const row of envelope.replies) {
      if (row.length < 4) this.#onReply(row, row[2]);
      else {
        this.#onReply(row, fields[bytesAt] ?? Buffer.alloc(0));
        bytesAt += 2;
      }
    }
  }

  settleAll(outcome: Outcome): void {
    for (const request of this.#pending.values()) this.#settle(request, outcome);
    clearTimeout(this.#timer);
  }

  #stream(route: string, lane: string, low: boolean): string {
    let lanes = this.#streams.get(route);
    if (lanes === undefined) this.#streams.set(route, (lanes = new Map()));
    let streams = lanes.get(lane);
    if (streams === undefined) {
      const { keys } = this.parts;
      lanes.set(lane, (streams = { normal: keys.requests(route, lane), low: keys.low(route, lane) }));
    }
    return low ? streams.low : streams.normal;
  }

  #send(request: PendingRequest): void {
    this.#stats.sent += 1;
    this.#writer.add(request);
    this.#watch(request, request.waitWhileFull ? request.takeBy - NEWS_MS : request.takeBy);
  }

  /** Not before `add` has returned, so that the caller has the request in hand. */
  #soon(request: PendingRequest, outcome: Outcome): void {
    queueMicrotask(() => this.#settle(request, outcome));
  }

  #onAdded(request: PendingRequest, entryId: string): void {
    request.entryId = entryId;
    if ((request.withdrawn || request.settled) && !request.taken) this.#remove(request);
  }

  #onTaken(id: number): void {
    const request = this.#pending.get(id);
    if (request === undefined) return;
    const now = performance.now();
    request.heardBy = now + request.heardWithinMs;
    if (request.taken) return;
    request.taken = true;
    request.replyBy = now + request.replyWithinMs;
    const due = nextLook(request);
    if (due < request.dueAt) this.#watch(request, due);
  }

  #onReply(row: ReplyRow, value: unknown): void {
    const [id, kind] = row;
    const request = this.#pending.get(id);
    if (request === undefined) {
      this.#stats.late += 1;
      return;
    }
    this.#onTaken(id);
    if (kind === 'error') return this.#settle(request, { kind: 'failed', error: value });
    if (kind === 'end') {
      return this.#settle(request, { kind: 'answered', data: row.length === 2 ? request.last : value });
    }
    if (request.onValue === undefined) request.last = value;
    else request.onValue(value);
  }

  #watch(request: PendingRequest, at: number): void {
    request.dueAt = Math.min(at, request.deadline);
    this.#lookSoon();
  }

  /**
   * One timer for all: one each would cost more than the request that it watches, and what is settled is kept by nothing.
   * After a busy spell answers may lie unread in the socket: one poll phase first.
   */
  #lookSoon(): void {
    this.#timer ??= setTimeout(() => setImmediate(() => this.#lookAtAll()), LOOK_MS);
  }

  #lookAtAll(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const request of this.#pending.values()) if (now >= request.dueAt) this.#onDue(request, now);
    if (this.#pending.size > 0) this.#lookSoon();
  }

  #onDue(request: PendingRequest, now: number): void {
    if (!request.taken) this.#untakenDue(request, now);
    else if (now >= nextLook(request) || now >= request.deadline) this.#settle(request, SILENT);
    else this.#watch(request, nextLook(request));
  }

  #untakenDue(request: PendingRequest, now: number): void {
    const full = request.waitWhileFull && this.parts.isFull(request.route, request.lane);
    if (now >= request.deadline) {
      this.#remove(request);
      return this.#settle(request, full ? FULL : NOT_TAKEN);
    }
    if (full) return this.#watch(request, now + FULL_CHECK_MS);
    if (now < request.takeBy) {
      this.parts.askForNews();
      return this.#watch(request, request.takeBy);
    }
    if (request.withdrawn) return this.#settle(request, NOT_TAKEN);
    request.withdrawn = true;
    this.#remove(request);
    this.#watch(request, now + TAKEN_GRACE_MS);
  }

  /** Takes the message out of its stream; before it is known there, when it is. */
  #remove(request: PendingRequest): void {
    if (request.entryId !== undefined) this.#writer.remove(request);
  }

  /** Bound, since each request carries it. */
  readonly #cancel = (request: PendingRequest): void => {
    request.settled = true;
    this.#pending.delete(request.id);
    this.#stats.cancelled += 1;
    if (!request.taken) this.#remove(request);
  };

  /** What was taken is being handled, and its reply will be read when the connections are back. */
  #onLost(): void {
    for (const request of this.#pending.values()) if (!request.taken) this.#settle(request, AWAY);
  }

  #settle(request: PendingRequest, outcome: Outcome): void {
    if (request.settled) return;
    request.settled = true;
    this.#pending.delete(request.id);
    this.#stats[COUNTED_AS[outcome.kind]] += 1;
    try {
      request.settle(outcome);
    } catch (error) {
      // The caller's own fault, and loud; but other requests of this batch are not harmed by it.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/** Of one that was taken. */
const nextLook = ({ replyBy, heardBy }: PendingRequest): number => Math.min(replyBy, heardBy);

const COUNTED_AS = {
  answered: 'answered',
  failed: 'failed',
  'not-taken': 'notTaken',
  silent: 'silent',
  full: 'full',
  away: 'away',
} as const satisfies Record<Outcome['kind'], keyof RequestStats>;
