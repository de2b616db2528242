import { Command } from 'ioredis';
import type { RedisArg, RedisClient, RedisScript } from './client.js';
import { Deadlines, PendingCall } from './deadlines.js';
import { RedisAwayError, RedisTimeoutError } from './errors.js';
import { openConnection, readTarget } from './options.js';
import type { Connection, RedisSettings, Target } from './options.js';

export interface ConnectOptions {
  /** Shown by CLIENT LIST. Default `usher`. */
  readonly name?: string;
  /** Between two tries to find Redis, ms. Default 250. */
  readonly retryAfterMs?: number;
}

/** So many late in a row = away. */
const LATE_IN_A_ROW = 3;
/** A connection that lived so long is worth a new try at once, ms. */
const GOOD_LIFE = 1_000;
/** One try: TCP, TLS, AUTH and PING, ms; or ten command timeouts, for remote sites. */
const TRY_FOR = 1_000;
/** A socket that owes a reply so long is dropped by ioredis itself: one node of a Cluster, for example, ms. */
const SILENT_SOCKET = 2_000;

/**
 * Connects in the background: until `ready()`, the client is away. Throws where the settings are wrong.
 */
export function connectRedis(settings: RedisSettings, options: ConnectOptions = {}): RedisClient {
  const timeout = settings.timeout ?? 30;
  if (!(timeout > 0)) throw new Error('redis.timeout: more than 0 ms');
  return new SupervisedRedis(readTarget(settings), timeout, { name: 'usher', retryAfterMs: 250, ...options });
}

type AwayListener = (away: boolean, why: string) => void;

/**
 * Each life of the connection is an ioredis instance of its own, which never reconnects by itself: what is left in its
 * queues goes with it, and no command of one life runs in the next.
 */
class SupervisedRedis implements RedisClient {
  #connection: Connection | undefined;
  #attempt: Connection | undefined;
  #attemptLimit: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #since = 0;
  #late = 0;
  #closed = false;
  #trouble = 'not connected yet';
  readonly #listeners = new Set<AwayListener>();
  readonly #waiting = new Set<(found: boolean) => void>();
  readonly #deadlines = new Deadlines(() => this.#onLate());

  constructor(
    private readonly target: Target,
    private readonly timeout: number,
    private readonly options: Required<ConnectOptions>,
  ) {
    this.#open();
  }

  get away(): boolean {
    return this.#connection === undefined;
  }

  get trouble(): string {
    return this.#connection === undefined ? this.#trouble : '';
  }

  call(command: string, args: readonly RedisArg[], timeoutMs = this.timeout): Promise<unknown> {
    const connection = this.#connection;
    if (connection === undefined) return Promise.reject(this.#awayError());
    return this.#send(connection, command, args, timeoutMs);
  }

  async run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly RedisArg[],
    timeoutMs = this.timeout,
  ): Promise<unknown> {
    if (keys.length !== script.keys) {
      throw new TypeError(`${script.name} takes ${script.keys} keys, not ${keys.length}`);
    }
    const started = performance.now();
    try {
      return await this.call('EVALSHA', [script.sha, keys.length, ...keys, ...args], timeoutMs);
    } catch (error) {
      if (!isReplyError(error, 'NOSCRIPT')) throw error;
      const left = Math.max(1, timeoutMs - (performance.now() - started));
      return await this.call('EVAL', [script.source, keys.length, ...keys, ...args], left);
    }
  }

  onAway(listener: AwayListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ready(withinMs = 10_000): Promise<boolean> {
    if (!this.away) return Promise.resolve(true);
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (found: boolean): void => {
        clearTimeout(limit);
        this.#waiting.delete(settle);
        resolve(found);
      };
      const limit = setTimeout(settle, withinMs, false);
      this.#waiting.add(settle);
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    const connection = this.#connection;
    // Replies come in order: after this one none is owed.
    if (connection !== undefined) await this.call('PING', []).catch(() => undefined);
    this.#closed = true;
    clearTimeout(this.#retry);
    const last = this.#connection ?? this.#attempt;
    if (last !== undefined) this.#lose(last, 'closed');
    for (const settle of this.#waiting) settle(false);
  }

  #send(
    connection: Connection,
    command: string,
    args: readonly RedisArg[],
    timeoutMs: number,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = new PendingCall(command, timeoutMs, resolve, reject);
      const sent = new Command(command, args as RedisArg[], { replyEncoding: 'utf8' });
      connection.sendCommand(sent);
      sent.promise.then(
        (reply: unknown) => {
          if (!call.settled) this.#late = 0;
          call.resolve(reply);
        },
        (error: unknown) => call.reject(this.#explain(connection, error)),
      );
      this.#deadlines.watch(call);
    });
  }

  /** The server's own errors pass; READONLY means that a failover left us at a replica; all else is a lost connection. */
  #explain(connection: Connection, error: unknown): unknown {
    if (isReplyError(error, 'READONLY')) this.#lose(connection, 'it is a replica now (READONLY)');
    return isReplyError(error) ? error : this.#awayError(error);
  }

  #onLate(): void {
    this.#late += 1;
    const connection = this.#connection ?? this.#attempt;
    if (this.#late < LATE_IN_A_ROW || connection === undefined) return;
    this.#lose(connection, `${LATE_IN_A_ROW} commands in a row got no reply within ${this.timeout} ms`);
  }

  #open(): void {
    const connection = openConnection(this.target, {
      connectionName: this.options.name,
      enableOfflineQueue: false,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      disconnectTimeout: 1,
      connectTimeout: this.#tryFor(),
      socketTimeout: Math.max(SILENT_SOCKET, this.timeout * 4),
    });
    this.#attempt = connection;
    this.#attemptLimit = setTimeout(() => this.#lose(connection, 'no answer'), this.#tryFor());
    connection.on('error', (error: Error) => {
      this.#trouble = error.message;
    });
    connection.once('end', () => this.#lose(connection, undefined));
    connection
      .connect()
      .then(() => this.#send(connection, 'PING', [], this.timeout))
      .then(
        () => this.#find(connection),
        (error: unknown) =>
          this.#lose(connection, error instanceof RedisTimeoutError ? error.message : undefined),
      );
  }

  #tryFor(): number {
    return Math.max(TRY_FOR, this.timeout * 10);
  }

  #find(connection: Connection): void {
    if (connection !== this.#attempt) return;
    clearTimeout(this.#attemptLimit);
    this.#attempt = undefined;
    this.#connection = connection;
    this.#since = performance.now();
    this.#late = 0;
    this.#trouble = '';
    for (const settle of this.#waiting) settle(true);
    this.#tell(false);
  }

  /** Drops a connection with its queue, once, and looks for Redis again. */
  #lose(connection: Connection, why: string | undefined): void {
    const wasUsed = connection === this.#connection;
    if (!wasUsed && connection !== this.#attempt) return;
    clearTimeout(this.#attemptLimit);
    this.#attempt = undefined;
    this.#connection = undefined;
    this.#late = 0;
    this.#trouble = why ?? (this.#trouble === '' ? 'the connection was closed' : this.#trouble);
    connection.disconnect();
    if (!this.#closed) {
      const delay = wasUsed && performance.now() - this.#since > GOOD_LIFE ? 0 : this.options.retryAfterMs;
      this.#retry = setTimeout(() => this.#open(), delay);
      this.#retry.unref();
    }
    if (wasUsed) this.#tell(true);
  }

  #tell(away: boolean): void {
    for (const listener of this.#listeners) listener(away, this.#trouble);
  }

  #awayError(cause?: unknown): RedisAwayError {
    return new RedisAwayError(
      `Redis is away: ${this.trouble === '' ? 'the connection was lost' : this.trouble}`,
      {
        cause,
      },
    );
  }
}

/** An error that the server itself sent, by its first word where one is asked for. */
export function isReplyError(error: unknown, code = ''): error is Error {
  return error instanceof Error && error.name === 'ReplyError' && error.message.startsWith(code);
}
