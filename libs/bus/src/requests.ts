import type { RequestOptions } from './bus-record.js';
import { DueTimes } from './due-times.js';
import { decodeData, encodeData, writeRequestHeader } from './envelope.js';
import type { Metadata, ReplyHeader, ReplyRow } from './envelope.js';
import type { BusKeys } from './keys.js';
import type { Command, Line } from './line.js';
import { AWAY, FULL, NOBODY, NOT_TAKEN, PendingRequest, SILENT } from './request.js';
import type { Outcome, Request } from './request.js';

/** When the time to be taken is over and the message is gone from its stream, "taken" is on its way: wait this long, ms. */
const TAKEN_GRACE_MS = 50;
/** While all servers are full that is looked at again, ms. */
const FULL_CHECK_MS = 100;

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
  readonly #due = new DueTimes<PendingRequest>((request) => this.#onDue(request));
  readonly #stats: RequestStats = { ...NO_REQUESTS };
  #nextId = 1;
  #outgoing: PendingRequest[] = [];
  #removals: PendingRequest[] = [];
  #scheduled = false;

  constructor(private readonly parts: RequestsParts) {
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
    const header = writeRequestHeader({
      id,
      from: parts.id,
      // One that is not withdrawn in time, since Redis went away, must not be taken long after.
      by: Math.ceil(mayWait ? until : by),
      until: Math.ceil(until),
      as: encoded.as,
      meta,
    });
    const clock = performance.now();
    const request = new PendingRequest(
      id,
      route,
      lane,
      this.#stream(route, lane, options.low === true),
      header,
      encoded,
      clock + by - now,
      options.replyWithinMs ?? Infinity,
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
  onReplies(header: ReplyHeader, fields: readonly Buffer[]): void {
    for (const id of header.taken) this.#onTaken(id);
    let body = 3;
    for (const row of header.replies) {
      const has = row[2] !== 'none';
      this.#onReply(row, has ? fields[body] : undefined);
      if (has) body += 2;
    }
  }

  settleAll(outcome: Outcome): void {
    for (const request of this.#pending.values()) this.#settle(request, outcome);
    this.#due.clear();
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
    this.#outgoing.push(request);
    this.#watch(request, request.takeBy);
    this.#schedule();
  }

  /** Not before `add` has returned, so that the caller has the request in hand. */
  #soon(request: PendingRequest, outcome: Outcome): void {
    queueMicrotask(() => this.#settle(request, outcome));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const sending = this.#outgoing.filter((request) => !request.settled);
    const removing = this.#removals;
    this.#outgoing = [];
    this.#removals = [];
    const commands: Command[] = sending.map((request) => this.#addCommand(request));
    for (const request of removing) commands.push(['xdel', request.stream, request.entryId!]);
    if (commands.length === 0) return;
    try {
      const answers = await this.parts.line.pipeline(commands, this.parts.commandTimeoutMs);
      for (const [index, request] of sending.entries()) this.#onSent(request, ...answers[index]!);
      for (const [index, request] of removing.entries()) {
        // Not taken by anybody, and nobody can any more.
        if (Number(answers[sending.length + index]![1]) === 1) this.#settle(request, NOT_TAKEN);
      }
    } catch {
      for (const request of sending) if (!request.taken) this.#settle(request, AWAY);
    }
  }

  #addCommand(request: PendingRequest): Command {
    const { as, body } = request.data!;
    request.data = undefined;
    this.#stats.sent += 1;
    const fields = as === 'none' ? [] : ['d', body];
    // Only servers make streams: where there is none nobody listens, and that is known at once.
    const { maxBacklog } = this.parts;
    return [
      'xadd',
      request.stream,
      'nomkstream',
      'maxlen',
      '~',
      maxBacklog,
      '*',
      'h',
      request.header,
      ...fields,
    ];
  }

  #onSent(request: PendingRequest, error: Error | null, entryId: unknown): void {
    if (error !== null) return this.#settle(request, AWAY);
    if (entryId === null) return this.#settle(request, NOBODY);
    request.entryId = (entryId as Buffer).toString();
    if ((request.withdrawn || request.settled) && !request.taken) this.#remove(request);
  }

  #onTaken(id: number): void {
    const request = this.#pending.get(id);
    if (request === undefined || request.taken) return;
    request.taken = true;
    request.replyBy = performance.now() + request.replyWithinMs;
    if (request.replyBy < request.dueAt) this.#watch(request, request.replyBy);
  }

  #onReply([id, kind, as]: ReplyRow, body: Buffer | undefined): void {
    const request = this.#pending.get(id);
    if (request === undefined) {
      this.#stats.late += 1;
      return;
    }
    this.#onTaken(id);
    const value = decodeData(as, body);
    if (kind === 'error') return this.#settle(request, { kind: 'failed', error: value });
    if (kind === 'end') {
      return this.#settle(request, { kind: 'answered', data: as === 'none' ? request.last : value });
    }
    if (request.onValue === undefined) request.last = value;
    else request.onValue(value);
  }

  #watch(request: PendingRequest, at: number): void {
    request.dueAt = Math.min(at, request.deadline);
    this.#due.add(request, request.dueAt);
  }

  #onDue(request: PendingRequest): void {
    const now = performance.now();
    if (request.settled || now < request.dueAt) return;
    if (!request.taken) this.#untakenDue(request, now);
    else if (now >= request.replyBy || now >= request.deadline) this.#settle(request, SILENT);
    else this.#watch(request, request.replyBy);
  }

  #untakenDue(request: PendingRequest, now: number): void {
    const full = request.waitWhileFull && this.parts.isFull(request.route, request.lane);
    if (now >= request.deadline) {
      this.#remove(request);
      return this.#settle(request, full ? FULL : NOT_TAKEN);
    }
    if (full) return this.#watch(request, now + FULL_CHECK_MS);
    if (request.withdrawn) return this.#settle(request, NOT_TAKEN);
    request.withdrawn = true;
    this.#remove(request);
    this.#watch(request, now + TAKEN_GRACE_MS);
  }

  /** Takes the message out of its stream; before it is known there, when it is. */
  #remove(request: PendingRequest): void {
    if (request.entryId === undefined) return;
    this.#removals.push(request);
    this.#schedule();
  }

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

const COUNTED_AS = {
  answered: 'answered',
  failed: 'failed',
  'not-taken': 'notTaken',
  silent: 'silent',
  full: 'full',
  away: 'away',
} as const satisfies Record<Outcome['kind'], keyof RequestStats>;
