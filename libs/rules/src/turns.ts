/** Work that takes turns: some at once, and a bound on those that wait. */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(
    private readonly atOnce: number,
    private readonly waiting: number,
  ) {
    if (!(atOnce >= 1 && waiting >= 0)) throw new RangeError('atOnce must be positive, waiting not negative');
  }

  /** Nobody more can wait. */
  get isFull(): boolean {
    return this.#running >= this.atOnce && this.#waiting.length >= this.waiting;
  }

  /** Does the work when its turn comes. Ask `isFull` before: this never refuses. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.atOnce) await new Promise<void>((start) => this.#waiting.push(start));
    else this.#running += 1;
    try {
      return await work();
    } finally {
      // The next one takes over this one's place.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
