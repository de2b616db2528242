import { randomUUID } from 'node:crypto';
import { EPOCH } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { allShards } from './session-names.js';

export interface EpochWatcherOptions {
  /** Between two looks, ms. Default 5,000; and at once when Redis is back. */
  readonly every?: number;
  /**
   * Session shards: on a Redis Cluster each has an epoch of its own, so that one master that came back empty is
   * noticed too. Default 0: only the one of all.
   */
  readonly shards?: number;
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
  readonly #keys: readonly string[];
  /** By key: the epoch last seen. */
  readonly #epochs = new Map<string, string>();
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
    this.#keys = [EPOCH, ...allShards(options.shards ?? 0).map((shard) => `${EPOCH}:{${shard}}`)];
    if (!(this.#every > 0)) throw new RangeError(`epoch: every more than 0 ms, not ${this.#every}`);
  }

  /** The epoch last seen; undefined until Redis answered for the first time. */
  get epoch(): string | undefined {
    return this.#epochs.get(EPOCH);
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
    // One that cannot be read now (its master is away) hides no other.
    const changes = await Promise.allSettled(this.#keys.map((key) => this.#hasChanged(key)));
    if (changes.some((change) => change.status === 'fulfilled' && change.value)) this.onEmpty();
  }

  async #hasChanged(key: string): Promise<boolean> {
    await this.redis.call('SET', [key, this.#name(), 'NX']);
    const epoch = await this.redis.call('GET', [key]);
    const before = this.#epochs.get(key);
    if (typeof epoch !== 'string' || epoch === before) return false;
    this.#epochs.set(key, epoch);
    return before !== undefined;
  }
}
