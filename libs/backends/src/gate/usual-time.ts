/** How fast what is usual follows what is: the mean by an eighth, the deviation by a quarter (RFC 6298, as TCP reckons). */
const MEAN = 1 / 8;
const DEVIATION = 1 / 4;
/** Beyond the mean so many deviations are usual. */
const SPREAD = 4;

/** How long a call usually takes, at the outside. */
export class UsualTime {
  #mean = 0;
  #deviation = 0;
  #known = false;

  /** How long one took, ms. */
  observe(ms: number): void {
    if (!this.#known) {
      this.#known = true;
      this.#mean = ms;
      this.#deviation = ms / 2;
      return;
    }
    this.#deviation += DEVIATION * (Math.abs(ms - this.#mean) - this.#deviation);
    this.#mean += MEAN * (ms - this.#mean);
  }

  /** Milliseconds; undefined before the first call. */
  get ms(): number | undefined {
    return this.#known ? this.#mean + SPREAD * this.#deviation : undefined;
  }
}
