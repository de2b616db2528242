import type { Clock } from '#usher/domain';

interface Entry<V> {
  readonly value: V;
  readonly until: number;
}

/** Remembers what was found out lately: at most `max`, each for `ttl` ms; the one not used for longest goes first. */
export class Recent<V> {
  readonly #entries = new Map<string, Entry<V>>();

  constructor(
    private readonly clock: Clock,
    private readonly max: number,
    private readonly ttl: number,
  ) {
    if (!(max >= 1 && ttl > 0)) throw new RangeError('max and ttl must be positive');
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (this.clock.monotonic() >= entry.until) return undefined;
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.max) this.#entries.delete(this.#entries.keys().next().value!);
    this.#entries.set(key, { value, until: this.clock.monotonic() + this.ttl });
  }

  clear(): void {
    this.#entries.clear();
  }
}
