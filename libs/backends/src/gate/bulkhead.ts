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
  /** Behind all of those, whenever they came. */
  readonly #last = new Set<Waiter>();

  /** `places` is asked at each entry: it changes as processes come and go. */
  constructor(
    private readonly places: () => number,
    private readonly maxQueue: number,
  ) {}

  get inFlight(): number {
    return this.#inFlight;
  }

  get queued(): number {
    return this.#queue.size + this.#last.size;
  }

  /**
   * Takes a place, waiting for one at most `maxWaitMs`; `last`: behind those who are not. False: none came free, the queue
   * is full, or `signal` aborted.
   */
  enter(maxWaitMs: number, signal?: AbortSignal, last = false): boolean | Promise<boolean> {
    const ahead = this.#queue.size + (last ? this.#last.size : 0);
    if (this.#inFlight < this.places() && ahead === 0) {
      this.#inFlight += 1;
      return true;
    }
    const queue = last ? this.#last : this.#queue;
    if (maxWaitMs <= 0 || queue.size >= this.maxQueue || signal?.aborted === true) return false;
    return this.#wait(queue, maxWaitMs, signal);
  }

  /** Takes a place whether there is one or not: for the cluster's one probe. */
  enterAnyway(): void {
    this.#inFlight += 1;
  }

  leave(): void {
    this.#inFlight -= 1;
    for (const queue of [this.#queue, this.#last]) {
      for (const next of queue) {
        if (this.#inFlight >= this.places()) return;
        this.#inFlight += 1;
        next.settle(true);
      }
    }
  }

  #wait(queue: Set<Waiter>, maxWaitMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const giveUp = (): void => waiter.settle(false);
      const limit = setTimeout(giveUp, maxWaitMs);
      const waiter: Waiter = {
        settle: (entered) => {
          clearTimeout(limit);
          signal?.removeEventListener('abort', giveUp);
          queue.delete(waiter);
          resolve(entered);
        },
      };
      signal?.addEventListener('abort', giveUp);
      queue.add(waiter);
    });
  }
}
