import type { Clock } from '#usher/domain';
import { LRUCache } from 'lru-cache';

interface Entry<V> {
  readonly value: V;
  readonly until: number;
}

/** Remembers what was found out lately: at most `max`, each for `ttl` ms; the one not used for longest goes first. */
export class Recent<V> {
  readonly #entries: LRUCache<string, Entry<V>>;

  constructor(
    private readonly clock: Clock,
    max: number,
    private readonly ttl: number,
  ) {
    if (!(max >= 1 && ttl > 0)) throw new RangeError('max and ttl must be positive');
    this.#entries = new LRUCache({ max });
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (this.clock.monotonic() < entry.until) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: V): void {
    this.#entries.set(key, { value, until: this.clock.monotonic() + this.ttl });
  }

  clear(): void {
    this.#entries.clear();
  }
}
