import type { Clock } from '#usher/domain';
import type { RedisClient } from './client.js';

export interface ClusterClockOptions {
  /** Called when the system's clock is more than 1 s away from cluster time (ms, positive: the system is behind), once each time. */
  readonly onSkew?: (skewMs: number) => void;
  /** This machine's own time; monotonic() of both clocks is the same. */
  readonly system?: Clock;
}

const EVERY = 1_000;
const SKEW = 1_000;

const systemClock: Clock = { monotonic: () => performance.now(), now: () => Date.now() };

/**
 * Cluster time: this process's monotonic clock plus its offset to Redis' TIME, sampled each second. Before the first
 * sample it is the system's time; while Redis is away the last offset stands.
 */
export class ClusterClock implements Clock {
  readonly #system: Clock;
  readonly #onSkew: (skewMs: number) => void;
  #offset: number | undefined;
  #skewed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: RedisClient,
    { onSkew = () => {}, system = systemClock }: ClusterClockOptions = {},
  ) {
    this.#system = system;
    this.#onSkew = onSkew;
  }

  monotonic(): number {
    return this.#system.monotonic();
  }

  /** Whole milliseconds: it travels in keys, records and scripts. */
  now(): number {
    return this.#offset === undefined
      ? this.#system.now()
      : Math.round(this.#system.monotonic() + this.#offset);
  }

  /** Takes the first sample at once; resolves when it is taken, or could not be. */
  async start(): Promise<void> {
    this.#timer ??= setInterval(() => void this.sample(), EVERY).unref();
    await this.sample();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Asks Redis once. Never rejects: without an answer the last offset stands. */
  async sample(): Promise<void> {
    const asked = this.monotonic();
    const reply = await this.client.call('TIME', []).catch(() => undefined);
    if (!Array.isArray(reply)) return;
    const halfway = (this.monotonic() - asked) / 2;
    this.#correct(Number(reply[0]) * 1_000 + Number(reply[1]) / 1_000 - (asked + halfway), halfway);
    this.#compare();
  }

  /** A sample is right to within half its round trip: the offset moves only as far as that proves it wrong. */
  #correct(measured: number, error: number): void {
    const offset = this.#offset ?? measured;
    this.#offset = Math.min(Math.max(offset, measured - error), measured + error);
  }

  #compare(): void {
    const skew = this.now() - this.#system.now();
    const skewed = Math.abs(skew) > SKEW;
    if (skewed && !this.#skewed) this.#onSkew(skew);
    this.#skewed = skewed;
  }
}
