import { RpcException } from '@nestjs/microservices';
import { isObservable } from 'rxjs';
import type { Observable } from 'rxjs';
import { BusContext } from './bus-context.js';
import { dataOf, encodeData, isTooNew, readEnvelope, VERSION } from './envelope.js';
import type { EncodedData, ReplyKind, RequestEnvelope } from './envelope.js';
import type { Entry, Lane } from './lane.js';
import type { ReplyWriter } from './reply-writer.js';
import { Signs } from './signs.js';
import { msOf } from './stream-id.js';

export interface HandlingStats {
  taken: number;
  replied: number;
  failed: number;
  /** Dropped unread: their asker had stopped waiting. */
  expired: number;
  /** Entries that were none of ours. */
  malformed: number;
}

export interface RequestHandlingParts {
  readonly replies: ReplyWriter;
  readonly now: () => number;
  readonly counted: HandlingStats;
  /** Calls the pattern's handler. */
  readonly call: (route: string, data: unknown, context: BusContext) => Promise<unknown>;
  /** The request's slot is free again. */
  readonly onDone: (lane: Lane) => void;
  /** The request took the lane's last slot. */
  readonly onFull: () => void;
  readonly onTrouble: (error: unknown) => void;
}

const UNKNOWN_ERROR = { status: 'error', message: 'Internal server error' };

/** What a server does with one request: dropped if nobody waits, else "taken", handled, replied to. */
export class RequestHandling {
  readonly #signs: Signs;

  constructor(private readonly parts: RequestHandlingParts) {
    // It was added long ago, so that it is told at once.
    this.#signs = new Signs(({ from, id, until }) => parts.replies.taken(from, id, until, -Infinity));
  }

  /** Gives no more signs of what is still being handled. */
  stop(): void {
    this.#signs.stop();
  }

  start(lane: Lane, [entryId, fields]: Entry): void {
    const { parts } = this;
    const request = readRequest(fields);
    if (request === undefined) {
      parts.counted.malformed += 1;
      return this.#doneLater(lane);
    }
    if (parts.now() > request.by) {
      parts.counted.expired += 1;
      return this.#doneLater(lane);
    }
    parts.counted.taken += 1;
    if (lane.free === 0) parts.onFull();
    parts.replies.taken(request.from, request.id, request.until, msOf(entryId));
    this.#signs.begin(request);
    this.#handle(lane, request, fields).then(
      (result) => this.#finish(lane, request, result),
      (error: unknown) => {
        this.#reply(request, 'error', this.#told(error));
        this.#done(lane, request);
      },
    );
  }

  #done(lane: Lane, request: RequestEnvelope): void {
    this.#signs.end(request);
    this.parts.onDone(lane);
  }

  async #handle(lane: Lane, request: RequestEnvelope, fields: readonly Buffer[]): Promise<unknown> {
    if (isTooNew(request)) {
      throw new RpcException(`message of version ${request.v}; this server speaks ${VERSION}`);
    }
    const context = new BusContext([lane.route, lane.name, request.until, request.from, request.meta]);
    return this.parts.call(lane.route, dataOf(request, fields), context);
  }

  #finish(lane: Lane, request: RequestEnvelope, result: unknown): void {
    if (isObservable(result)) return this.#stream(lane, request, result);
    this.#reply(request, 'end', result);
    this.#done(lane, request);
  }

  /** As Nest's transports do: each value is a reply; the end is told apart. */
  #stream(lane: Lane, request: RequestEnvelope, values: Observable<unknown>): void {
    values.subscribe({
      next: (value) => this.#reply(request, 'more', value),
      error: (error: unknown) => {
        this.#reply(request, 'error', thrownBy(error));
        this.#done(lane, request);
      },
      complete: () => {
        this.#reply(request, 'end', undefined);
        this.#done(lane, request);
      },
    });
  }

  #reply(request: RequestEnvelope, kind: ReplyKind, value: unknown): void {
    const data = this.#encoded(value);
    if (data === undefined) return this.#reply(request, 'error', UNKNOWN_ERROR);
    if (kind === 'error') this.parts.counted.failed += 1;
    else if (kind === 'end') this.parts.counted.replied += 1;
    this.parts.replies.reply(request.from, request.id, kind, data, request.until);
  }

  #encoded(value: unknown): EncodedData | undefined {
    try {
      return encodeData(value);
    } catch (error) {
      this.parts.onTrouble(error); // a cycle, a BigInt: the handler's fault
      return undefined;
    }
  }

  /** A throw outside Nest's filters: only an RpcException may tell the asker anything. */
  #told(error: unknown): unknown {
    if (error instanceof RpcException) {
      const told = error.getError();
      return typeof told === 'object' ? told : { status: 'error', message: told };
    }
    this.parts.onTrouble(error);
    return UNKNOWN_ERROR;
  }

  /** Not at once: a batch of expired requests would recurse through those that wait for a slot. */
  #doneLater(lane: Lane): void {
    queueMicrotask(() => this.parts.onDone(lane));
  }
}

/** A request with all that a reply to it needs, or undefined where the entry is none. */
function readRequest(fields: readonly Buffer[]): RequestEnvelope | undefined {
  try {
    const request = readEnvelope<RequestEnvelope>(fields);
    const named = Number.isSafeInteger(request.id) && typeof request.from === 'string';
    return named && Number.isFinite(request.by) && Number.isFinite(request.until) ? request : undefined;
  } catch {
    return undefined;
  }
}

/** What a stream of a handler ended with: Nest's filters have made it what shall cross. */
function thrownBy(error: unknown): unknown {
  if (error instanceof RpcException) return error.getError();
  return error instanceof Error ? { status: 'error', message: error.message } : error;
}
