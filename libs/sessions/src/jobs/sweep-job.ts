import type { Log } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { allShards } from '../registry/session-names.js';
import { sweepShard } from '../registry/sweeper.js';
import { WhereTidier } from '../registry/where-tidier.js';
import type { Leases } from './leases.js';
import { Rounds } from './rounds.js';

export interface SweepJobParts {
  readonly redis: RedisClient;
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

  constructor(
    private readonly parts: SweepJobParts,
    /** Between two sweeps, ms. */
    every = 5_000,
  ) {
    this.#rounds = new Rounds(every, () => this.sweep());
    this.#tidier = new WhereTidier(parts.redis, parts.registry);
  }

  start(): void {
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.parts.leases.release().catch(() => undefined);
  }

  /** One round. Never rejects: while Redis is away there is nothing to sweep. */
  async sweep(): Promise<void> {
    const { redis, registry, leases, log } = this.parts;
    if (redis.away) return;
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
