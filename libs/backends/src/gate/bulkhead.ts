interface Waiter {
  readonly settle: (entered: boolean) => void;
}

/**
 * At most so many calls in flight at once; a bounded number waits for a place, in order, for a bounded time. It stands
 * outside the breaker: a full bulkhead says nothing about the backend.
 */
export class Bulkhead {
  #inFlight = 0;
  readonly #queue = new Set<Waiter>();

  /** `places` is asked at each entry: it changes as processes come and go. */
  constructor(
    private readonly places: () => number,
    private readonly maxQueue: number,
  ) {}

  get inFlight(): number {
    return this.#inFlight;
  }

  get queued(): number {
    return this.#queue.size;
  }

  /** Takes a place, waiting for one at most `maxWaitMs`. False: none came free, the queue is full, or `signal` aborted. */
  enter(maxWaitMs: number, signal?: AbortSignal): boolean | Promise<boolean> {
    if (this.#inFlight < this.places() && this.#queue.size === 0) {
      this.#inFlight += 1;
      return true;
    }
    if (maxWaitMs <= 0 || this.#queue.size >= this.maxQueue || signal?.aborted === true) return false;
    return this.#wait(maxWaitMs, signal);
  }

  /** Takes a place whether there is one or not: for the cluster's one probe. */
  enterAnyway(): void {
    this.#inFlight += 1;
  }

  leave(): void {
    this.#inFlight -= 1;
    for (const next of this.#queue) {
      if (this.#inFlight >= this.places()) return;
      this.#inFlight += 1;
      next.settle(true);
    }
  }

  #wait(maxWaitMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const giveUp = (): void => waiter.settle(false);
      const limit = setTimeout(giveUp, Math.max(0, maxWaitMs));
      const waiter: Waiter = {
        settle: (entered) => {
          clearTimeout(limit);
          signal?.removeEventListener('abort', giveUp);
          this.#queue.delete(waiter);
          resolve(entered);
        },
      };
      signal?.addEventListener('abort', giveUp);
      this.#queue.add(waiter);
    });
  }
}
