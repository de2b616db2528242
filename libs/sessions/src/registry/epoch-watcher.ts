import { randomUUID } from 'node:crypto';
import { EPOCH } from '#usher/redis';
import type { RedisClient } from '#usher/redis';

export interface EpochWatcherOptions {
  /** Between two looks, ms. Default 5,000; and at once when Redis is back. */
  readonly every?: number;
  /** Makes a new epoch's name. Default: a random UUID. */
  readonly name?: () => string;
}

/**
 * Finds out that Redis came back empty. `usher:epoch` is written by whoever finds it missing, once for all; who
 * remembers another one has outlived a Redis, and is called to offer back what it holds.
 */
export class EpochWatcher {
  readonly #every: number;
  readonly #name: () => string;
  #epoch: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;
  #looking: Promise<void> | undefined;

  constructor(
    private readonly redis: RedisClient,
    private readonly onEmpty: () => void,
    options: EpochWatcherOptions = {},
  ) {
    this.#every = options.every ?? 5_000;
    this.#name = options.name ?? randomUUID;
    if (!(this.#every > 0)) throw new RangeError(`epoch: every more than 0 ms, not ${this.#every}`);
  }

  /** The epoch last seen; undefined until Redis answered for the first time. */
  get epoch(): string | undefined {
    return this.#epoch;
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => void this.look(), this.#every).unref();
    this.#stopListening = this.redis.onAway((away) => {
      if (!away) void this.look();
    });
    void this.look();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stopListening?.();
  }

  /** Never rejects: a Redis that is away has no news. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch(() => undefined)
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    if (this.redis.away) return;
    await this.redis.call('SET', [EPOCH, this.#name(), 'NX']);
    const epoch = await this.redis.call('GET', [EPOCH]);
    if (typeof epoch !== 'string' || epoch === this.#epoch) return;
    const isFirst = this.#epoch === undefined;
    this.#epoch = epoch;
    if (!isFirst) this.onEmpty();
  }
}
