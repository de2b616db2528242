import type { Clock } from '#usher/domain';
import type { ShareCounts } from './guard-report.js';

const BUCKET = 5_000;
const BUCKETS = 12;
/** What was usual counts half after so long, ms. */
const HALF_LIFE = 2 * 3_600_000;
const FADE = 0.5 ** (BUCKET / HALF_LIFE);

interface Counted {
  hits: number;
  all: number;
}

/** A share of answers: in the last minute, and usually, which is the last hours without that minute. */
export class ShareWatch {
  readonly #buckets: Counted[] = Array.from({ length: BUCKETS }, () => ({ hits: 0, all: 0 }));
  readonly #minute: Counted = { hits: 0, all: 0 };
  readonly #usual: Counted = { hits: 0, all: 0 };
  #turnedAt: number;
  /** While it is true the last minute does not become usual. */
  held = false;

  constructor(private readonly clock: Clock) {
    this.#turnedAt = clock.monotonic();
  }

  count(hit: boolean): void {
    this.turn();
    const bucket = this.#buckets[0]!;
    bucket.all += 1;
    this.#minute.all += 1;
    if (!hit) return;
    bucket.hits += 1;
    this.#minute.hits += 1;
  }

  get counts(): ShareCounts {
    const { hits, all } = this.#minute;
    return { answers: all, hits, usualAnswers: this.#usual.all, usualHits: this.#usual.hits };
  }

  /** The last minute is usual from now on. */
  relearn(): void {
    Object.assign(this.#usual, this.#minute);
  }

  /** The window moves on by the injected clock, when it is looked at. */
  turn(): void {
    const due = Math.floor((this.clock.monotonic() - this.#turnedAt) / BUCKET);
    if (due <= 0) return;
    for (let turn = 0; turn < Math.min(due, BUCKETS); turn += 1) this.#shift();
    const fade = FADE ** due;
    this.#usual.hits *= fade;
    this.#usual.all *= fade;
    this.#turnedAt += due * BUCKET;
  }

  #shift(): void {
    const left = this.#buckets.pop()!;
    this.#minute.hits -= left.hits;
    this.#minute.all -= left.all;
    if (!this.held) {
      this.#usual.hits += left.hits;
      this.#usual.all += left.all;
    }
    this.#buckets.unshift({ hits: 0, all: 0 });
  }
}
