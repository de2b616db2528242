import { ClientProxy } from '@nestjs/microservices';
import type { ReadPacket, WritePacket } from '@nestjs/microservices';
import { BusRecord } from './bus-record.js';
import type { RequestOptions } from './bus-record.js';
import { BusError } from './errors.js';
import { emitEvent, Events } from './events.js';
import { BusKeys } from './keys.js';
import { Line } from './line.js';
import type { Membership } from './membership.js';
import { checkBusOptions, checkPositive } from './options.js';
import type { BusOptions, CheckedBusOptions } from './options.js';
import { ReplyReader } from './reply-reader.js';
import { AWAY } from './request.js';
import type { Outcome, Request } from './request.js';
import { NO_REQUESTS, Requests } from './requests.js';
import type { RequestStats } from './requests.js';
import type { BusStatus } from './stream-server.js';

export interface StreamClientOptions extends BusOptions {
  /** Without a deadline of its own a request waits this long, ms. Default 5,000. */
  readonly timeoutMs?: number;
  /** Lane of a request that names none. Default `main`. */
  readonly lane?: string;
  /** A stream of requests keeps about this many; older ones are dropped. Default 10,000. */
  readonly maxBacklog?: number;
  /** More requests under way than this end `full` at once. Default 20,000. */
  readonly maxPending?: number;
  /** Tells which servers are full. */
  readonly membership?: Membership;
}

export interface ClientStats extends RequestStats {
  emitted: number;
  /** Requests under way now. */
  pending: number;
  /** Events missed, as often as it was noticed. */
  gaps: number;
}

interface ClientParts {
  readonly commands: Line;
  readonly blocking: Line;
  readonly requests: Requests;
  readonly replies: ReplyReader;
}

/**
 * Nest transport over Redis Streams, the side that asks. Beside Nest's `send()` and `emit()`: `ask()` and `request()`,
 * which end in a value for each way that a request can end, and `events`.
 */
export class StreamClient extends ClientProxy<Record<string, (...args: unknown[]) => void>, BusStatus> {
  readonly events: Events;
  readonly #options: CheckedBusOptions;
  readonly #own: Required<Omit<StreamClientOptions, keyof BusOptions | 'membership'>>;
  readonly #membership: Membership | undefined;
  #parts: ClientParts | undefined;
  #emitted = 0;
  #closed = false;

  /** Throws TypeError for options that cannot work. Opens no connection before `connect()` or the first use. */
  constructor(options: StreamClientOptions) {
    super();
    this.#options = checkBusOptions(options);
    this.#own = {
      timeoutMs: options.timeoutMs ?? 5000,
      lane: options.lane ?? 'main',
      maxBacklog: options.maxBacklog ?? 10_000,
      maxPending: options.maxPending ?? 20_000,
    };
    checkPositive(this.#own, ['timeoutMs', 'maxBacklog', 'maxPending']);
    this.#membership = options.membership;
    this.events = new Events(this.#options);
  }

  /** True while requests can be sent. */
  get connected(): boolean {
    return this.#parts?.commands.ready === true;
  }

  /** Rejects with BusError `away` where Redis is not there in time; goes on trying all the same. */
  async connect(): Promise<void> {
    const { commands } = this.#open();
    if (commands.ready) return;
    if (!(await commands.waitReady(this.#options.connectTimeoutMs))) {
      throw new BusError('away', 'the bus is not connected to Redis');
    }
  }

  /**
   * The quick way to ask: no promise, no Observable. `settle` is called once, later, unless the request is cancelled.
   * Throws TypeError for data that JSON cannot hold.
   */
  ask(pattern: string, data: unknown, options: RequestOptions, settle: (outcome: Outcome) => void): Request {
    return this.#open().requests.add({ route: pattern, data, options, settle });
  }

  /** As `ask()`, with a promise; it never rejects for what becomes of the request. */
  request(pattern: string, data: unknown, options: RequestOptions = {}): Promise<Outcome> {
    return new Promise((resolve) => this.ask(pattern, data, options, resolve));
  }

  stats(): ClientStats {
    const requests = this.#parts?.requests;
    return {
      ...(requests?.stats() ?? NO_REQUESTS),
      emitted: this.#emitted,
      pending: requests?.pending ?? 0,
      gaps: this.events.gaps,
    };
  }

  /** Ends what is under way as `away`, and removes this client's stream. */
  async close(): Promise<void> {
    this.#closed = true;
    const parts = this.#parts;
    this.#parts = undefined;
    parts?.requests.settleAll(AWAY);
    await Promise.all([parts?.replies.close(), this.events.close()]);
    parts?.commands.close();
  }

  override on(event: string, callback: (...args: unknown[]) => void): void {
    this.#open().commands.redis.on(event, callback);
  }

  unwrap<T>(): T {
    const { commands, blocking } = this.#open();
    return [commands.redis, blocking.redis] as T;
  }

  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const record = packet.data instanceof BusRecord ? packet.data : undefined;
    const route = this.normalizePattern(packet.pattern);
    try {
      const request = this.#open().requests.add({
        route,
        data: record === undefined ? packet.data : record.data,
        options: record?.options ?? {},
        meta: packet.metadata,
        onValue: (response) => callback({ response }),
        settle: (outcome) => callback(written(outcome, route)),
      });
      return () => request.cancel();
    } catch (err) {
      callback({ err });
      return () => undefined;
    }
  }

  protected override async dispatchEvent<T>(packet: ReadPacket): Promise<T> {
    const pattern = this.normalizePattern(packet.pattern);
    const data: unknown = packet.data instanceof BusRecord ? packet.data.data : packet.data;
    await emitEvent(this.#open().commands, this.#options, { pattern, data, meta: packet.metadata });
    this.#emitted += 1;
    return undefined as T;
  }

  #open(): ClientParts {
    if (this.#parts !== undefined) return this.#parts;
    if (this.#closed) throw new BusError('closed', 'the bus client is closed');
    const { connect, id, now, commandTimeoutMs: timeoutMs } = this.#options;
    const keys = new BusKeys(this.#options.prefix);
    const commands = new Line(connect, 'commands');
    const blocking = new Line(connect, 'blocking');
    const requests = new Requests({
      ...this.#own,
      line: commands,
      keys,
      id,
      now,
      commandTimeoutMs: timeoutMs,
      isFull: (route, lane) => this.#membership?.isFull(route, lane) === true,
      askForNews: () => this.#membership?.touch(),
    });
    const onReplies = requests.onReplies.bind(requests);
    const replies = new ReplyReader({ commands, blocking, keys, id, timeoutMs, onReplies });
    replies.start();
    commands.onReady(() => this._status$.next('connected'));
    commands.onLost(() => this._status$.next('away'));
    this.#parts = { commands, blocking, requests, replies };
    return this.#parts;
  }
}

/** An outcome as Nest's Observable tells it. */
function written(outcome: Outcome, route: string): WritePacket {
  switch (outcome.kind) {
    case 'answered':
      return { isDisposed: true, response: outcome.data };
    case 'failed':
      return { err: outcome.error };
    case 'not-taken': {
      const why = outcome.nobody ? 'nobody listens to it' : 'nobody took it in time';
      return { err: new BusError('not-taken', `request ${route}: ${why}`) };
    }
    case 'silent':
      return { err: new BusError('silent', `request ${route}: taken, but not answered in time`) };
    case 'full':
      return { err: new BusError('full', `request ${route}: all servers are full`) };
    case 'away':
      return { err: new BusError('away', `request ${route}: the bus is not connected to Redis`) };
    default:
      return outcome satisfies never;
  }
}
