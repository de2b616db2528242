import type { Log } from '#usher/domain';
import type { Evict } from '#usher/node';
import { Rounds, type DeviceSlots, type Leases, type Surplus } from '#usher/sessions';

/** Between two rounds, ms. */
const EVERY = 5_000;

export interface LimitsJobParts {
  readonly slots: Pick<DeviceSlots, 'recount' | 'shards'>;
  readonly evict: Evict;
  /** One part for each shard. */
  readonly leases: Pick<Leases, 'renew' | 'holds' | 'release'>;
  /** The most that is done about somebody who is over his cap. */
  readonly mode: Surplus['mode'];
  readonly log: Log;
}

/**
 * Counts devices again where a guess may have been wrong, in the shards that this process holds: a session that was
 * taken for zapped away, and lives, is one more device than was thought.
 */
export class LimitsJob {
  /** Sessions that were found to be too many, since the start. */
  readonly counts: Record<Surplus['mode'], number> = { observe: 0, enforce: 0 };
  readonly #rounds: Rounds;

  constructor(private readonly parts: LimitsJobParts) {
    this.#rounds = new Rounds(EVERY, () => this.round());
  }

  start(): void {
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.parts.leases.release().catch(() => undefined);
  }

  /** Never rejects: what Redis did not hear is found again in the next round. */
  async round(): Promise<void> {
    const { leases, slots, log } = this.parts;
    try {
      await leases.renew();
      for (const [part, shard] of slots.shards.entries()) if (leases.holds(part)) await this.#recount(shard);
    } catch (error) {
      log.debug({ error }, 'devices could not be counted again; the next round goes on');
    }
  }

  async #recount(shard: string): Promise<void> {
    const { slots, evict, mode } = this.parts;
    for (const surplus of await slots.recount(shard, mode)) {
      this.counts[surplus.mode] += surplus.sessions.length;
      await evict(surplus);
    }
  }
}
