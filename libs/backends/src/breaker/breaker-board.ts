import type { GroupConfig } from '#usher/config';
import type { Admission, BreakerGate } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { Breaker, Leave } from './breaker.js';
import { readBreakerEvent } from './events.js';

export interface BreakerBoardOptions {
  readonly groups: Readonly<Record<string, Pick<GroupConfig, 'policy' | 'backends'>>>;
  /** Whether it is away decides whether breakers are the cluster's or this process's own. */
  readonly redis?: Pick<RedisClient, 'away' | 'onAway'>;
}

const ASK: Admission = { kind: 'ask' };
/** Votes are cast and the truth is read again so often, ms. */
const TICK = 1_000;

/** All breakers as this process sees them, by backend and by group. */
export class BreakerBoard implements BreakerGate {
  readonly #breakers: ReadonlyMap<string, Breaker>;
  readonly #closed = new Map<string, boolean>();
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;

  constructor(
    breakers: readonly Breaker[],
    private readonly options: BreakerBoardOptions,
  ) {
    this.#breakers = new Map(breakers.map((breaker) => [breaker.backend, breaker]));
    for (const [group, { backends }] of Object.entries(options.groups)) {
      const unknown = backends.find((backend) => !this.#breakers.has(backend));
      if (unknown !== undefined) throw new Error(`groups.${group}.backends: there is no backend ${unknown}`);
    }
    this.review();
  }

  /** Reads the truth, and from now on votes and reads it again each second. Goes on alone while Redis is away. */
  async start(): Promise<void> {
    const { redis } = this.options;
    this.#stopListening = redis?.onAway((away) => void this.#onAway(away));
    if (redis?.away === true) await this.#onAway(true);
    else await this.reread();
    this.#timer = setInterval(() => void this.reread(), TICK);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopListening?.();
    for (const breaker of this.#breakers.values()) breaker.close();
  }

  /** Looks at once: for a gap in what was heard. */
  async reread(): Promise<void> {
    await this.#all((breaker) => breaker.tick());
  }

  /** For everything that other processes announced; what it does not understand it passes over. Never rejects. */
  async heard(data: unknown): Promise<void> {
    const event = readBreakerEvent(data);
    if (event !== undefined) await this.#breakers.get(event.backend)?.heard(event);
  }

  /** Redis is away: breakers are this process's own. Health says so. */
  get alone(): boolean {
    for (const { alone } of this.#breakers.values()) if (alone) return true;
    return false;
  }

  isClosed(target: string): boolean {
    return this.#closed.get(target) === true;
  }

  async admit(target: string, known: boolean, without: readonly string[] = []): Promise<Admission> {
    const group = Object.hasOwn(this.options.groups, target) ? this.options.groups[target] : undefined;
    if (group !== undefined) return await this.#admitGroup(group, known, without);
    const leave = await this.#breaker(target).admit(known);
    return leave.kind === 'probe' ? { kind: 'ask', probes: { [target]: leave.lease } } : leave;
  }

  /** Some breaker changed: which targets are closed is worked out here, so that asking costs one look into a map. */
  review(): void {
    for (const [name, breaker] of this.#breakers) this.#closed.set(name, breaker.record.state === 'closed');
    for (const [name, { backends }] of Object.entries(this.options.groups)) {
      this.#closed.set(
        name,
        backends.every((backend) => this.#closed.get(backend) === true),
      );
    }
  }

  /** Asked if any member can be; the others are left out this time. */
  async #admitGroup(
    group: Pick<GroupConfig, 'policy' | 'backends'>,
    known: boolean,
    without: readonly string[],
  ): Promise<Admission> {
    const probes: Record<string, string> = {};
    const skip = [...without];
    let asked = false;
    let since = Infinity;
    for (const backend of group.backends) {
      if (without.includes(backend)) continue;
      const leave: Leave = await this.#breaker(backend).admit(known);
      if (leave.kind === 'outage') {
        skip.push(backend);
        since = Math.min(since, leave.since);
        continue;
      }
      asked = true;
      if (leave.kind === 'probe') probes[backend] = leave.lease;
      // Those after it are asked only if it cannot answer: no lease is taken, no part of a ramp used up, for that.
      else if (group.policy === 'first') break;
    }
    if (!asked) return { kind: 'outage', since };
    if (skip.length === 0 && Object.keys(probes).length === 0) return ASK;
    return { kind: 'ask', probes, skip };
  }

  async #onAway(away: boolean): Promise<void> {
    await this.#all((breaker) => (away ? breaker.goAlone() : breaker.rejoin()));
  }

  async #all(act: (breaker: Breaker) => Promise<void>): Promise<void> {
    await Promise.all(Array.from(this.#breakers.values(), act));
  }

  #breaker(backend: string): Breaker {
    const breaker = this.#breakers.get(backend);
    if (breaker === undefined) throw new Error(`there is no backend or group ${backend}`);
    return breaker;
  }
}
