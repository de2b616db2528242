import type { Clock } from '#usher/domain';
import { encodeName, script } from '#usher/redis';
import type { RedisClient } from '#usher/redis';

const HOLD = script(import.meta.url, './lua/hold-lease-1.lua');
const PATIENCE = 1_000;

export interface LeasesOptions {
  /** What is divided: part of the keys' names. */
  readonly job: string;
  /** Into so many parts. */
  readonly parts: number;
  /** Names this process; new with each start. */
  readonly owner: string;
  /** Held so long without being renewed, ms. Default 15,000. */
  readonly life?: number;
  /** How many processes share the parts, this one included; read at each renewal. Default: 1. */
  readonly sharers?: () => number;
}

/**
 * Divides a job's parts among processes, each part at one process at a time. Nobody holds more than its share, so that a
 * newcomer finds something to do; what a dead process held is free after `life`.
 */
export class Leases {
  /** By part: until when it is surely ours, by our own monotonic clock, counted from before we asked. */
  readonly #until = new Map<number, number>();
  readonly #life: number;

  constructor(
    private readonly redis: RedisClient,
    private readonly clock: Clock,
    private readonly options: LeasesOptions,
  ) {
    this.#life = options.life ?? 15_000;
    if (!(options.parts >= 1)) throw new RangeError(`leases of ${options.job}: at least one part`);
    if (!(this.#life > 0)) throw new RangeError(`leases of ${options.job}: a life over 0 ms`);
  }

  /** From memory. A lease that could not be renewed in time is not held. */
  holds(part: number): boolean {
    return (this.#until.get(part) ?? Number.NEGATIVE_INFINITY) > this.clock.monotonic();
  }

  /** Renews what is held and takes what is free, up to the share. Call it a few times within `life`. Rejects as Redis does. */
  async renew(): Promise<void> {
    const { parts, sharers } = this.options;
    const share = Math.ceil(parts / Math.max(1, sharers?.() ?? 1));
    const mine = Array.from({ length: parts }, (_, part) => part).filter((part) => this.holds(part));
    for (const part of mine.slice(share)) await this.#letGo(part);
    await Promise.all(mine.slice(0, share).map((part) => this.#hold(part)));
    for (let part = 0; part < parts && this.#count() < share; part += 1) {
      if (!this.holds(part)) await this.#hold(part);
    }
  }

  /** Lets all go, so that others take over at once. Rejects as Redis does. */
  async release(): Promise<void> {
    await Promise.all(Array.from(this.#until.keys(), (part) => this.#letGo(part)));
  }

  #count(): number {
    let held = 0;
    for (const part of this.#until.keys()) if (this.holds(part)) held += 1;
    return held;
  }

  async #hold(part: number): Promise<void> {
    const asked = this.clock.monotonic();
    const held = await this.redis.run(HOLD, [this.#key(part)], [this.options.owner, this.#life], PATIENCE);
    if (held === 1) this.#until.set(part, asked + this.#life);
    else this.#until.delete(part);
  }

  async #letGo(part: number): Promise<void> {
    this.#until.delete(part);
    await this.redis.run(HOLD, [this.#key(part)], [this.options.owner, 0], PATIENCE);
  }

  #key(part: number): string {
    return `usher:lease:${encodeName(this.options.job)}:${String(part).padStart(2, '0')}`;
  }
}
