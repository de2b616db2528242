import { setImmediate as turn } from 'node:timers/promises';
import { ManualClock } from './manual-clock.js';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/**
 * Time that passes as soon as nobody works: hours of pauses in a moment, in their order. For work that waits in `pause` and
 * nowhere else; what waits for another process (Redis, a socket) is `working`, and time stands still for it.
 */
export class VirtualTime {
  readonly clock: ManualClock;
  #sleepers: Sleeper[] = [];
  #busy = 0;

  constructor(now?: number) {
    this.clock = new ManualClock(now);
  }

  /** Ends after so long, ms, or by the signal; never rejects. */
  readonly pause = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (!(ms > 0) || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper: Sleeper = { at: this.clock.monotonic() + ms, wake };
      signal?.addEventListener('abort', wake);
      this.#sleepers.push(sleeper);
    });
  };

  async working<T>(work: () => Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
    }
  }

  /** Lets time pass until it is settled. Rejects as it does, or where nothing is left that could settle it. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = (): void => void (isSettled = true);
    promise.then(settled, settled);
    for (let idle = 0; !isSettled && idle < 1_000; idle = this.#isWaited() ? 0 : idle + 1) {
      await turn();
      if (!isSettled && this.#busy === 0) this.#pass();
    }
    if (!isSettled) throw new Error('nobody works, nobody waits, and it is not settled');
    return promise;
  }

  #isWaited(): boolean {
    return this.#busy > 0 || this.#sleepers.length > 0;
  }

  #pass(): void {
    const next = this.#sleepers.reduce((first, { at }) => Math.min(first, at), Infinity);
    if (next === Infinity) return;
    this.clock.advance(Math.max(0, next - this.clock.monotonic()));
    for (const { at, wake } of this.#sleepers.slice()) if (at <= next) wake();
  }
}
