const GRAIN_MS = 5;

/**
 * Calls back when items are due, to about 5 ms, and never early. One timer for all of them: a timer each would cost more
 * than the request that it watches. An item that is over is not taken out; the callback ignores it.
 */
export class DueTimes<T> {
  readonly #slots = new Map<number, T[]>();
  #timer: NodeJS.Timeout | undefined;
  #done = 0;

  constructor(private readonly onDue: (item: T) => void) {}

  /** `at` by performance.now(). */
  add(item: T, at: number): void {
    if (this.#timer === undefined) {
      this.#done = Math.floor(performance.now() / GRAIN_MS);
      this.#arm();
    }
    const slot = Math.max(Math.ceil(at / GRAIN_MS), this.#done + 1);
    const items = this.#slots.get(slot);
    if (items === undefined) this.#slots.set(slot, [item]);
    else items.push(item);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#slots.clear();
  }

  /** After a busy spell answers may lie unread in the socket: one poll phase first. */
  #arm(): void {
    this.#timer = setTimeout(() => setImmediate(() => this.#turn()), GRAIN_MS);
  }

  #turn(): void {
    if (this.#timer === undefined) return;
    const now = Math.floor(performance.now() / GRAIN_MS);
    while (this.#done < now) {
      this.#done += 1;
      const items = this.#slots.get(this.#done);
      if (items === undefined) continue;
      this.#slots.delete(this.#done);
      for (const item of items) this.onDue(item);
    }
    this.#timer = undefined;
    if (this.#slots.size > 0) this.#arm();
  }
}
