import type { Remembered } from './last-answers.js';
import { NOTABLE_KINDS, type NotableKind } from './why-record.js';

/** How many of each kind. */
export type NotableBounds = Readonly<Record<NotableKind, number>>;

/** The last answers that were not plain allows, of each kind as many as fit, whatever comes of the others. */
export class NotableAnswers {
  readonly #rings: Readonly<Record<NotableKind, Ring>>;

  /** @throws RangeError for a bound below 1. */
  constructor(bounds: NotableBounds) {
    const { denied, refused, unavailable } = bounds;
    this.#rings = {
      denied: new Ring(denied),
      refused: new Ring(refused),
      unavailable: new Ring(unavailable),
    };
  }

  add(kind: NotableKind, one: Remembered): void {
    this.#rings[kind].add(one);
  }

  /** Of all kinds. */
  newestFirst(): Remembered[] {
    return NOTABLE_KINDS.flatMap((kind) => this.#rings[kind].newestFirst()).sort(
      (a, b) => b.record.at - a.record.at,
    );
  }
}

/** The last so many; one more takes the place of the oldest. */
class Ring {
  readonly #places: Remembered[] = [];
  #next = 0;

  constructor(private readonly size: number) {
    if (!(size >= 1)) throw new RangeError('why: at least one answer of each kind must fit');
  }

  add(one: Remembered): void {
    this.#places[this.#next] = one;
    this.#next = (this.#next + 1) % this.size;
  }

  newestFirst(): Remembered[] {
    return [...this.#places.slice(this.#next), ...this.#places.slice(0, this.#next)].reverse();
  }
}
