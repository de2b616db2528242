import { Pacer } from '../../../libs/backends/src/gate/pacer.js';
import type { VirtualTime } from '../../../libs/testing/src/virtual-time.js';
import type { Figures } from '../figure.js';
import { mostWithin } from '../statistics.js';

/** Of the backend, and of re-checks, calls a second. */
export const PACE = 500;
/** The backend's own time, ms. */
export const TAKES = 8;
/** First checks a second meanwhile, and so many at once every ten seconds. */
const RATE = 100;
const BURST = 50;
const BURST_EVERY = 10_000;
/** A pacer lets a tenth of a second's calls go early. */
const AIM = 1.1;
/** Viewers wait for the pace at most so long, ms: as in a backend's gate. */
const MAX_WAIT = 500;

/** A paced backend on a clock that passes while nobody works, with first checks and re-checks that share its pace. */
export class VirtualBackend {
  /** When it was asked, monotonic, ms. */
  readonly #rechecks: number[] = [];
  readonly #all: number[] = [];
  readonly #pacer: Pacer;
  /** What first checks would wait for if nobody else asked. */
  readonly #alone: Pacer;
  #firstChecks = 0;
  #extraWait = 0;
  #refused = 0;

  constructor(private readonly time: VirtualTime) {
    this.#pacer = new Pacer(time.clock, () => PACE);
    this.#alone = new Pacer(time.clock, () => PACE);
  }

  /** As a worker does with a question that nobody waits for; resolves when it is answered. */
  async recheck(): Promise<void> {
    const { time } = this;
    for (let wait = this.#pacer.reserveLast(); wait > 0; wait = this.#pacer.reserveLast())
      await time.pause(wait);
    this.#rechecks.push(time.clock.monotonic());
    this.#all.push(time.clock.monotonic());
    await time.pause(TAKES);
  }

  /** Viewers who come until the signal. */
  async viewers(signal: AbortSignal): Promise<void> {
    const { time } = this;
    let burstAt = time.clock.monotonic() + BURST_EVERY;
    while (!signal.aborted) {
      await time.pause((-Math.log(1 - Math.random()) * 1_000) / RATE, signal);
      this.#firstCheck();
      if (time.clock.monotonic() < burstAt) continue;
      burstAt += BURST_EVERY;
      for (let i = 0; i < BURST; i += 1) this.#firstCheck();
    }
  }

  /** `name`, and `…FirstChecks`. */
  figures(name: string, details: Readonly<Record<string, unknown>>): Figures {
    const rechecksInOneSecond = mostWithin(this.#rechecks, 1_000);
    const value = mostWithin(this.#all, 1_000);
    return {
      [name]: {
        ...once(value),
        unit: 'calls in a virtual second',
        aim: {
          text: `never > ${PACE * AIM}, re-checks never > ${PACE}`,
          met: value <= PACE * AIM && rechecksInOneSecond <= PACE,
        },
        details: { pace: PACE, rechecksInOneSecond, ...details },
      },
      [`${name}FirstChecks`]: {
        ...once(this.#extraWait),
        unit: 'ms waited more than without re-checks, the most',
        aim: {
          text: `≤ one call’s share of the pace (${1_000 / PACE} ms)`,
          met: this.#extraWait <= 1_000 / PACE && this.#refused === 0,
        },
        details: { firstChecks: this.#firstChecks, refused: this.#refused },
      },
    };
  }

  #firstCheck(): void {
    const wait = this.#pacer.reserve(MAX_WAIT);
    const waitAlone = this.#alone.reserve(MAX_WAIT);
    this.#firstChecks += 1;
    if (wait === undefined) this.#refused += 1;
    else {
      this.#extraWait = Math.max(this.#extraWait, wait - (waitAlone ?? 0));
      this.#all.push(this.time.clock.monotonic() + wait);
    }
  }
}

/** Measured once. */
export const once = (value: number) => ({ value, spread: { min: value, max: value } });
