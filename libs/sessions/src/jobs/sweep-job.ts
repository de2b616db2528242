import type { Clock, Log } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { allShards } from '../registry/session-names.js';
import { sweepShard } from '../registry/sweeper.js';
import { WhereTidier } from '../registry/where-tidier.js';
import type { Leases } from './leases.js';
import { Rounds } from './rounds.js';

/** Between two signs of life that a gateway sends, twice, and some more: what Redis knew before it was away is old, ms. */
const HEARD_WITHIN = 30_000;

export interface SweepJobParts {
  readonly redis: RedisClient;
  readonly clock: Clock;
  readonly registry: RedisSessionRegistry;
  /** One part for each shard. */
  readonly leases: Leases;
  readonly log: Log;
}

/** Closes sessions whose time is up, in the shards that this process holds, and keeps `where` tidy beside them. */
export class SweepJob {
  /** Sessions closed since the start. */
  closed = 0;
  readonly #rounds: Rounds;
  readonly #tidier: WhereTidier;
  /** Monotonic, ms. */
  #waitsUntil = 0;
  #stopListening: (() => void) | undefined;

  constructor(
    private readonly parts: SweepJobParts,
    /** Between two sweeps, ms. */
    every = 5_000,
  ) {
    this.#rounds = new Rounds(every, () => this.sweep());
    this.#tidier = new WhereTidier(parts.redis, parts.registry);
  }

  start(): void {
    const { redis, clock } = this.parts;
    this.#stopListening ??= redis.onAway((away) => {
      if (!away) this.#waitsUntil = clock.monotonic() + HEARD_WITHIN;
    });
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    this.#stopListening?.();
    await this.#rounds.stop();
    await this.parts.leases.release().catch(() => undefined);
  }

  /**
   * One round. Never rejects: while Redis is away there is nothing to sweep, and when it is back gateways have to say first
   * who lives.
   */
  async sweep(): Promise<void> {
    const { redis, registry, leases, log, clock } = this.parts;
    if (redis.away || clock.monotonic() < this.#waitsUntil) return;
    try {
      await leases.renew();
      for (const [part, shard] of allShards(registry.shards).entries()) {
        if (!leases.holds(part)) continue;
        const { closed, lost } = await sweepShard(redis, registry, shard);
        this.closed += closed;
        await this.#tidier.tidy(shard);
        if (lost > 0) log.warn({ shard, lost }, 'sessions whose records had expired unswept were unlisted');
      }
    } catch (error) {
      log.warn({ error }, 'sessions could not be swept; the next round goes on');
    }
  }
}
