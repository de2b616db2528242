import { readNetwork, type Family } from './address.js';
import { PrefixTree } from './prefix-tree.js';

/** What a list says about a network. Of two for the same network the later one here wins. */
export const VERDICTS = ['allow', 'pass', 'deny'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Networks of both families with a verdict each. */
export class AddressList {
  readonly #v4 = new PrefixTree(1);
  readonly #v6 = new PrefixTree(4);
  /** So many networks were added. */
  size = 0;

  get bytes(): number {
    return this.#v4.bytes + this.#v6.bytes;
  }

  /** False: this is no network. */
  add(network: string, verdict: Verdict): boolean {
    const read = readNetwork(network);
    if (read === undefined) return false;
    (read.family === 4 ? this.#v4 : this.#v6).add(read.words, read.bits, VERDICTS.indexOf(verdict) + 1);
    this.size += 1;
    return true;
  }

  trim(): this {
    this.#v4.trim();
    this.#v6.trim();
    return this;
  }

  /**
   * What it says about an address, to be compared with other lists: the greater one wins, which is the longer network.
   * 0: nothing.
   */
  find(family: Family | 0, words: Uint32Array): number {
    return family === 0 ? 0 : (family === 4 ? this.#v4 : this.#v6).find(words);
  }
}

/** The verdict of what `find` found. */
export function verdictOf(found: number): Verdict | undefined {
  return VERDICTS[(found & 3) - 1];
}
