import type { Check, Clock } from '#usher/domain';
import type { Outcome } from './outcome.js';

export interface IsolationOptions {
  readonly clock: Clock;
  /** Between two probes of its own, ms. */
  readonly openFor: number;
  readonly call: (check: Check) => Promise<Outcome>;
  readonly onIsolated: (isolated: boolean) => void;
}

/** A process that does not reach the backend while others do asks nothing for viewers until a probe of its own succeeds. */
export class Isolation {
  #since: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: IsolationOptions) {}

  get isolated(): boolean {
    return this.#since !== undefined;
  }

  /** How long already, ms; 0 while it is not. */
  get lasts(): number {
    return this.#since === undefined ? 0 : this.options.clock.monotonic() - this.#since;
  }

  /** `check`: the question that failed; it is repeated. A viewer's own, since we invent no tokens. */
  begin(check: Check): void {
    if (this.isolated) return;
    this.#since = this.options.clock.monotonic();
    this.options.onIsolated(true);
    this.#wait(check);
  }

  end(): void {
    if (!this.isolated) return;
    this.close();
    this.options.onIsolated(false);
  }

  /** Stops without a word. */
  close(): void {
    clearTimeout(this.#timer);
    this.#since = undefined;
  }

  #wait(check: Check): void {
    this.#timer = setTimeout(() => void this.#probe(check), this.options.openFor);
    this.#timer.unref();
  }

  async #probe(check: Check): Promise<void> {
    const begun = this.#since;
    const outcome = await this.options.call(check);
    if (begun === undefined || this.#since !== begun) return;
    if (outcome === 'good') this.end();
    else this.#wait(check);
  }
}
