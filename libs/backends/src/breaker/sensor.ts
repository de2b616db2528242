import { EventEmitter } from 'node:events';
import CircuitBreaker from 'opossum';
import type { BreakerConfig } from '#usher/config';
import type { Clock } from '#usher/domain';

/**
 * What this process thinks of a backend. `failing`: by the breaker's own measures, enough to call for a verdict;
 * `bad`: too many failures lately, a vote against, but no call for a verdict.
 */
export type Opinion = 'good' | 'bad' | 'failing';

/** setTimeout takes no more; with `Infinity` opossum would half-open after 2 ms. */
const NEVER = 2 ** 31 - 1;
const BUCKETS = 10;
/** An opinion needs so many calls in the window, or … */
const CALLS_FOR_OPINION = 5;
/** … so many failures in a row in it. */
const ROW_FOR_OPINION = 3;

export type SensorConfig = Pick<BreakerConfig, 'failureRate' | 'minCalls' | 'window' | 'consecutive'>;

/**
 * opossum as the sensor of one process for one backend. It is told how calls ended, after they ended: so cancelled and
 * busy ones never reach it, and it needs no timeout, capacity or error filter of its own (each of them would count
 * what is not the backend's fault). Once open it stays so: the cluster's verdict replaces it by a fresh one.
 */
export class Sensor {
  readonly #breaker: CircuitBreaker<[boolean], void>;
  readonly #turns = new EventEmitter();
  readonly #startedAt: number;
  #turnedAt: number;
  #inARow = 0;
  #heard = 0;
  #forced = false;

  /** `onFailing` is called once, when the failures suffice by the breaker's own measures. */
  constructor(
    private readonly config: SensorConfig,
    private readonly clock: Clock,
    onFailing: () => void,
  ) {
    this.#startedAt = clock.monotonic();
    this.#turnedAt = this.#startedAt;
    // opossum writes into this object: it is made for this one breaker alone.
    this.#breaker = new CircuitBreaker<[boolean], void>(outcome, {
      timeout: false,
      resetTimeout: NEVER,
      volumeThreshold: config.minCalls,
      // opossum opens above this percentage; ours is reached at it.
      errorThresholdPercentage: config.failureRate - 1e-6,
      rollingCountTimeout: config.window,
      rollingCountBuckets: BUCKETS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.#turns,
    });
    this.#breaker.on('open', () => {
      if (!this.#forced) onFailing();
    });
  }

  /** Open: failing by its own measures, or by the cluster's verdict. */
  get open(): boolean {
    return this.#breaker.opened;
  }

  /** One call ended. A denial is good: the backend knew the answer. */
  record(good: boolean): void {
    if (this.#breaker.opened) return;
    this.#turn();
    this.#heard += 1;
    this.#inARow = good ? 0 : this.#inARow + 1;
    this.#breaker.fire(good).catch(() => undefined);
    if (this.#inARow >= this.config.consecutive) this.#breaker.open();
  }

  /** The cluster's verdict. */
  forceOpen(): void {
    this.#forced = true;
    this.#breaker.open();
  }

  /** Undefined where too few calls ended lately to say anything. */
  opinion(): Opinion | undefined {
    if (this.#breaker.opened) return 'failing';
    this.#turn();
    const { fires, failures } = this.#breaker.stats;
    if (Math.min(this.#inARow, failures) >= ROW_FOR_OPINION) return 'bad';
    if (fires < CALLS_FOR_OPINION) return undefined;
    return (failures / fires) * 100 >= this.config.failureRate ? 'bad' : 'good';
  }

  /** Calls that it was told of, ever: whether there is something new to say. */
  get heard(): number {
    return this.#heard;
  }

  /** Calls that ended in the window. */
  get calls(): number {
    this.#turn();
    return this.#breaker.stats.fires;
  }

  /** Calls a second that ended in the window, or since the start if that is shorter. */
  get rate(): number {
    const age = this.clock.monotonic() - this.#startedAt;
    return (this.calls * 1000) / Math.min(this.config.window, Math.max(age, 1000));
  }

  close(): void {
    this.#breaker.shutdown();
  }

  /** The window moves on by the injected clock, when it is looked at. */
  #turn(): void {
    const step = this.config.window / BUCKETS;
    const due = Math.floor((this.clock.monotonic() - this.#turnedAt) / step);
    if (due <= 0) return;
    for (let turn = 0; turn < Math.min(due, BUCKETS); turn += 1) this.#turns.emit('rotate');
    this.#turnedAt += due * step;
  }
}

class CallFailed extends Error {}

/** opossum learns of a failure only by a rejection. */
function outcome(good: boolean): Promise<void> {
  return good ? Promise.resolve() : Promise.reject(new CallFailed());
}
