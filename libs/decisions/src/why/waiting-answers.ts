import type { NotableKind } from './why-record.js';
import type { Outgoing } from './why-store.js';

type Kind = NotableKind | 'plain';

/** Records on their way to Redis, the oldest first. Bounded: a flood of one kind pushes out what waits of that kind. */
export class WaitingAnswers {
  #waiting: Outgoing[] = [];
  readonly #of: Record<Kind, number> = { plain: 0, denied: 0, refused: 0, unavailable: 0 };

  constructor(private readonly max: number) {}

  get size(): number {
    return this.#waiting.length;
  }

  /** False: it, or one that waited, was dropped for room. */
  add(outgoing: Outgoing): boolean {
    const isFull = this.#waiting.length >= this.max;
    // What was not plain is worth more than what was.
    if (isFull && outgoing.kind === undefined) return false;
    if (isFull) this.#dropOne();
    this.#waiting.push(outgoing);
    this.#of[kindOf(outgoing)] += 1;
    return !isFull;
  }

  take(most: number): Outgoing[] {
    const taken = this.#waiting.splice(0, most);
    for (const one of taken) this.#of[kindOf(one)] -= 1;
    return taken;
  }

  /** The oldest plain allow, else the oldest of the kind that most are of. */
  #dropOne(): void {
    const { plain, denied, refused, unavailable } = this.#of;
    const most = Math.max(denied, refused, unavailable);
    const kind =
      plain > 0 ? 'plain' : denied === most ? 'denied' : refused === most ? 'refused' : 'unavailable';
    this.#waiting.splice(
      this.#waiting.findIndex((one) => kindOf(one) === kind),
      1,
    );
    this.#of[kind] -= 1;
  }
}

const kindOf = ({ kind }: Outgoing): Kind => kind ?? 'plain';
