import type { Clock, SessionName } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { RedisSessionRegistry } from './redis-session-registry.js';
import { allShards } from './session-names.js';
import { TOUCHED_AT_ONCE, touchSessions, type Sign } from './touch-sessions.js';

export interface SignsOfLifeOptions {
  /** Between two flushes, ms. Default 10,000: so much is lost when a gateway is killed. */
  readonly every?: number;
  /** Sessions remembered between flushes, or while Redis is away. Default 200,000; further ones are counted as dropped. */
  readonly capacity?: number;
  /** Told which sessions the registry has no living record of: closed, expired, or lost by Redis. */
  readonly onMissing?: (names: readonly SessionName[]) => void;
}

interface Noted {
  readonly aliveUntil: number;
  readonly checks: number;
}

/**
 * A gateway's signs of life: noted in memory while it answers, sent in batches. While Redis is away they wait, the
 * newest of each session.
 */
export class SignsOfLife {
  /** Noted for nothing, because the memory for them was full. */
  dropped = 0;
  readonly #noted: Map<string, Map<SessionName, Noted>>;
  readonly #every: number;
  readonly #capacity: number;
  readonly #onMissing: (names: readonly SessionName[]) => void;
  #size = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;

  constructor(
    private readonly redis: RedisClient,
    private readonly registry: RedisSessionRegistry,
    private readonly clock: Clock,
    options: SignsOfLifeOptions = {},
  ) {
    this.#every = options.every ?? 10_000;
    this.#capacity = options.capacity ?? 200_000;
    this.#onMissing = options.onMissing ?? (() => undefined);
    if (!(this.#every > 0)) throw new RangeError(`signs of life: every more than 0 ms, not ${this.#every}`);
    if (!(this.#capacity > 0))
      throw new RangeError(`signs of life: a capacity over 0, not ${this.#capacity}`);
    this.#noted = new Map(allShards(registry.shards).map((shard) => [shard, new Map()]));
  }

  /** How many sessions wait to be sent. */
  get size(): number {
    return this.#size;
  }

  /**
   * Notes that a session lives until then (cluster time, ms), and was asked about so many times more. Costs one entry of
   * a Map, provided that the caller passes the same object for the same session. `shard` is `registry.shardOf(session)`.
   */
  note(name: SessionName, shard: string, aliveUntil: number, checks = 0): void {
    const signs = this.#noted.get(shard);
    if (signs === undefined) return;
    const before = signs.size;
    if (this.#size >= this.#capacity && !signs.has(name)) {
      this.dropped += 1;
      return;
    }
    signs.set(name, { aliveUntil, checks: checks + (signs.get(name)?.checks ?? 0) });
    this.#size += signs.size - before;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.flush(), this.#every).unref();
  }

  /** Sends what is noted, last of all; then nothing more is sent by itself. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.flush();
    await this.flush();
  }

  /** Sends what is noted. Never rejects: what Redis did not take waits for the next time. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flushAll().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #flushAll(): Promise<void> {
    for (const [shard, signs] of this.#noted) {
      if (this.redis.away) return;
      if (signs.size > 0) await this.#flushShard(shard, signs);
    }
  }

  async #flushShard(shard: string, noted: ReadonlyMap<SessionName, Noted>): Promise<void> {
    this.#noted.set(shard, new Map());
    this.#size -= noted.size;
    const signs = Array.from(noted, ([name, { aliveUntil, checks }]) => ({ name, aliveUntil, checks }));
    for (let from = 0; from < signs.length; from += TOUCHED_AT_ONCE) {
      const batch = signs.slice(from, from + TOUCHED_AT_ONCE);
      try {
        const missing = await touchSessions(this.redis, this.registry, shard, batch);
        if (missing.length > 0) this.#onMissing(missing);
      } catch {
        this.#keep(shard, batch);
      }
    }
  }

  /** Back to what waits, unless something newer is there, or the time is up. */
  #keep(shard: string, signs: readonly Sign[]): void {
    const now = this.clock.now();
    for (const { name, aliveUntil, checks } of signs) {
      const newer = this.#noted.get(shard)!.get(name)?.aliveUntil ?? 0;
      if (Math.max(aliveUntil, newer) > now) this.note(name, shard, Math.max(aliveUntil, newer), checks);
    }
  }
}
