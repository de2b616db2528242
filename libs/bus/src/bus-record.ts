/** How one request shall travel. */
export interface RequestOptions {
  /** Default: the client's. */
  readonly lane?: string;
  /** It may wait for requests that are not low. */
  readonly low?: boolean;
  /** Nobody waits after it; ms in the bus' time. Default: now + the client's `timeoutMs`. */
  readonly deadlineAt?: number;
  /** To be taken by a server within this, ms. Default: until the deadline. */
  readonly takeWithinMs?: number;
  /** Once taken, to be answered within this, ms. Default: until the deadline. */
  readonly replyWithinMs?: number;
  /**
   * Once taken, its server says so again and again; not heard of within this it is silent, for its server may have died.
   * Ms. Default: nobody looks. Every server must speak this language.
   */
  readonly heardWithinMs?: number;
  /** Not taken in time while heartbeats say that all servers are full: wait on, until the deadline. */
  readonly waitWhileFull?: boolean;
}

/** Data for `send()`, with its options. */
export class BusRecord<T = unknown> {
  constructor(
    readonly data: T,
    readonly options: RequestOptions,
  ) {}
}

/** `client.send('check', new BusRecordBuilder(data).setLane('portal').setReplyWithin(500).build())`. */
export class BusRecordBuilder<T = unknown> {
  #options: RequestOptions = {};

  constructor(private readonly data: T) {}

  setLane(lane: string): this {
    return this.#with({ lane });
  }

  setLow(low = true): this {
    return this.#with({ low });
  }

  /** An instant, ms in the bus' time. */
  setDeadline(deadlineAt: number): this {
    return this.#with({ deadlineAt });
  }

  setTakeWithin(takeWithinMs: number): this {
    return this.#with({ takeWithinMs });
  }

  setReplyWithin(replyWithinMs: number): this {
    return this.#with({ replyWithinMs });
  }

  build(): BusRecord<T> {
    return new BusRecord(this.data, this.#options);
  }

  #with(options: RequestOptions): this {
    this.#options = { ...this.#options, ...options };
    return this;
  }
}
