import { BusError } from './errors.js';
import type { BusRedis, ConnectionFactory, ConnectionRole } from './options.js';
import type { BusScript } from './scripts.js';

export type Argument = string | number | Buffer;
export type Command = readonly [name: string, ...args: Argument[]];

/** Late answers in a row after which the connection is taken for dead. */
const LATE_LIMIT = 3;
/** A handshake that takes longer is given up, ms: a stopped Redis accepts connections and says nothing. */
const HANDSHAKE_MS = 1000;
const REOPEN_MS = 250;

/**
 * One connection that heals by itself and on which no call hangs. Replies are Buffers. A connection that stopped
 * answering is dropped with its queue, so that Redis does not execute later what nobody waits for.
 */
export class Line {
  #redis: BusRedis;
  #closed = false;
  #lateInARow = 0;
  #handshake: NodeJS.Timeout | undefined;
  /** Calls that wait for an answer. ioredis tells them only sometimes that their connection is gone. */
  readonly #waiting = new Set<(error: Error) => void>();
  readonly #onReady = new Set<() => void>();
  readonly #onLost = new Set<() => void>();

  constructor(
    private readonly connect: ConnectionFactory,
    private readonly role: ConnectionRole,
  ) {
    this.#redis = this.#open();
  }

  get ready(): boolean {
    return this.#redis.status === 'ready';
  }

  get redis(): BusRedis {
    return this.#redis;
  }

  /** Called each time that the connection can be used (again). */
  onReady(listener: () => void): () => void {
    this.#onReady.add(listener);
    return () => this.#onReady.delete(listener);
  }

  onLost(listener: () => void): () => void {
    this.#onLost.add(listener);
    return () => this.#onLost.delete(listener);
  }

  /** Resolves when ready, or after the time; tells which. */
  async waitReady(withinMs: number): Promise<boolean> {
    if (this.ready) return true;
    return new Promise((resolve) => {
      const stop = this.onReady(() => done(true));
      const timer = setTimeout(() => done(false), withinMs);
      const done = (ready: boolean): void => {
        stop();
        clearTimeout(timer);
        resolve(ready);
      };
    });
  }

  /** One command. Rejects with BusError `away` or `late`, or Redis' own ReplyError. */
  async call(command: Command, timeoutMs: number): Promise<unknown> {
    if (!this.ready) throw new BusError('away', 'the bus is not connected to Redis');
    const [name, ...args] = command;
    return this.#inTime(this.#redis.callBuffer(name, args), timeoutMs);
  }

  /** Several in one write (one slot in a Cluster); each with its own error or reply. */
  async pipeline(commands: readonly Command[], timeoutMs: number): Promise<[Error | null, unknown][]> {
    if (!this.ready) throw new BusError('away', 'the bus is not connected to Redis');
    const pipeline = this.#redis.pipeline();
    for (const [name, ...args] of commands) pipeline.callBuffer(name, args);
    return (await this.#inTime(pipeline.exec(), timeoutMs)) as [Error | null, unknown][];
  }

  /** A script by its hash, sent whole where Redis does not know it. */
  async run(
    script: BusScript,
    keys: readonly string[],
    args: readonly Argument[],
    timeoutMs: number,
  ): Promise<unknown> {
    try {
      return await this.call(['evalsha', script.sha, keys.length, ...keys, ...args], timeoutMs);
    } catch (error) {
      if (!isReplyError(error, 'NOSCRIPT')) throw error;
      return this.call(['eval', script.source, keys.length, ...keys, ...args], timeoutMs);
    }
  }

  /** Gives the connection up, with all that waits on it; another one follows. */
  drop(): void {
    const nodes = 'nodes' in this.#redis ? this.#redis.nodes() : [this.#redis];
    for (const node of nodes) node.stream?.destroy();
  }

  /** No reconnecting any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#handshake);
    this.#redis.disconnect();
    this.drop();
    this.#rejectWaiting();
  }

  #open(): BusRedis {
    const redis = this.connect(this.role);
    checkQueues(redis);
    redis.on('error', () => {
      // What it breaks is told by 'close'; ioredis would print it otherwise.
    });
    redis.on('connect', () => this.#watchHandshake());
    redis.on('ready', () => {
      clearTimeout(this.#handshake);
      this.#lateInARow = 0;
      for (const listener of this.#onReady) listener();
    });
    redis.on('close', () => {
      clearTimeout(this.#handshake);
      this.#rejectWaiting();
      for (const listener of this.#onLost) listener();
    });
    redis.on('end', () => {
      if (!this.#closed) setTimeout(() => this.#closed || (this.#redis = this.#open()), REOPEN_MS).unref();
    });
    if (redis.status === 'wait') void Promise.resolve(redis.connect()).catch(() => undefined);
    return redis;
  }

  #rejectWaiting(): void {
    const lost = new BusError('away', 'the connection to Redis is lost');
    for (const reject of this.#waiting) reject(lost);
    this.#waiting.clear();
  }

  #watchHandshake(): void {
    clearTimeout(this.#handshake);
    this.#handshake = setTimeout(() => !this.ready && this.drop(), HANDSHAKE_MS);
    this.#handshake.unref();
  }

  /** The deadline of a call. A loop that was busy meanwhile gets one poll phase to find the answer in the socket. */
  #inTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const late = (): void => {
        if (!this.#waiting.delete(reject)) return;
        reject(new BusError('late', `Redis did not answer in ${timeoutMs} ms`));
        this.#lateInARow += 1;
        if (this.#lateInARow >= LATE_LIMIT || this.role !== 'commands') this.drop();
      };
      const timer = setTimeout(() => setImmediate(late), timeoutMs);
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(reject);
      };
      this.#waiting.add(reject);
      answer.then(
        (value) => {
          settle();
          this.#lateInARow = 0;
          resolve(value);
        },
        (error: Error) => {
          settle();
          reject(
            isReplyError(error) ? error : new BusError('away', `no answer from Redis: ${error.message}`),
          );
        },
      );
    });
  }
}

/** Redis' own answer, perhaps of a kind: 'NOSCRIPT', 'NOGROUP' … */
export function isReplyError(error: unknown, kind = ''): boolean {
  return error instanceof Error && error.name === 'ReplyError' && error.message.startsWith(kind);
}

function checkQueues(redis: BusRedis): void {
  const options = 'nodes' in redis ? redis.options.redisOptions : redis.options;
  const queues =
    redis.options.enableOfflineQueue !== false || options?.autoResendUnfulfilledCommands !== false;
  if (!queues) return;
  redis.disconnect();
  throw new TypeError(
    'bus: connections need enableOfflineQueue and autoResendUnfulfilledCommands false (BUS_REDIS_OPTIONS)',
  );
}
