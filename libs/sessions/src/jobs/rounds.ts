/** Does something again and again, never twice at a time. */
export class Rounds {
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(
    /** Between two rounds, ms; one that takes longer is not overtaken. */
    private readonly every: number,
    /** Never rejects. */
    private readonly round: () => Promise<void>,
  ) {
    if (!(every > 0)) throw new RangeError(`rounds: every more than 0 ms, not ${every}`);
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#turn(), this.every).unref();
    this.#turn();
  }

  /** After the round that is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  #turn(): void {
    this.#running ??= this.round().finally(() => {
      this.#running = undefined;
    });
  }
}
