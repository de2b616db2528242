import type { Config } from '#usher/config';
import { traitsOf } from '#usher/decisions';
import { Problem } from '../problems/problem.js';

/** The namespaces of users: by default one for each backend. */
export class Namespaces {
  readonly #names: readonly string[];
  readonly #byBackend: ReadonlyMap<string, string>;

  constructor(config: Config) {
    this.#byBackend = new Map([...traitsOf(config)].map(([name, { namespace }]) => [name, namespace]));
    this.#names = [...new Set(this.#byBackend.values())].sort();
  }

  ofBackend(backend: string): string {
    return this.#byBackend.get(backend) ?? backend;
  }

  /** The one that is meant. Where there is one only it need not be said. Throws Problem, which names them. */
  pick(said: string | undefined): string {
    if (said !== undefined && this.#names.includes(said)) return said;
    if (said === undefined && this.#names.length === 1) return this.#names[0]!;
    const says = this.#names.length === 0 ? 'no backend is configured' : `one of ${this.#names.join(', ')}`;
    throw new Problem('bad-parameter', `namespace: ${says}.`, { errors: [{ parameter: 'namespace', says }] });
  }
}
