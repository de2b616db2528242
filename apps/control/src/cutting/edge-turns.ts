/** So many at once at each edge: who hangs keeps so many places, and no others. */
export class EdgeTurns {
  readonly #taken = new Map<string, number>();

  constructor(private readonly atOnce: number) {
    if (!(atOnce >= 1)) throw new RangeError(`calls at once at an edge: at least 1, not ${atOnce}`);
  }

  /** To be called once when the turn is over; undefined: the edge has enough to do. */
  take(edge: string): (() => void) | undefined {
    const taken = this.#taken.get(edge) ?? 0;
    if (taken >= this.atOnce) return undefined;
    this.#taken.set(edge, taken + 1);
    return () => this.#leave(edge);
  }

  #leave(edge: string): void {
    const left = (this.#taken.get(edge) ?? 1) - 1;
    if (left > 0) this.#taken.set(edge, left);
    else this.#taken.delete(edge);
  }
}
