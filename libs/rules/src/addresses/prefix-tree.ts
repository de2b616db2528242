import { sharedBits } from './address.js';

/** A node takes 4 bytes a word of its key, and 10 more. */
const FIRST_CAPACITY = 64;

/**
 * A radix tree: prefixes to small numbers, the longest wins. Paths without a fork are one step, so n prefixes have less
 * than 2n nodes, in a few typed arrays: nothing for the garbage collector to walk.
 */
export class PrefixTree {
  #keys: Uint32Array;
  #bits: Uint8Array;
  #values: Uint8Array;
  #children: Uint32Array;
  /** Node 0 is the root: the prefix of no bits. As a child 0 means none. */
  #count = 1;

  /** @param words of 32 bits that a key has: 1 for IPv4, 4 for IPv6 */
  constructor(
    private readonly words: 1 | 4,
    capacity = FIRST_CAPACITY,
  ) {
    this.#keys = new Uint32Array(capacity * words);
    this.#bits = new Uint8Array(capacity);
    this.#values = new Uint8Array(capacity);
    this.#children = new Uint32Array(capacity * 2);
  }

  /** Bytes of memory that it holds. */
  get bytes(): number {
    return [this.#keys, this.#bits, this.#values, this.#children].reduce(
      (sum, { byteLength }) => sum + byteLength,
      0,
    );
  }

  /** @param value 1 to 3; of two for the same prefix the greater stays */
  add(key: Uint32Array, bits: number, value: number): void {
    let node = 0;
    for (;;) {
      if (this.#bits[node] === bits) {
        this.#values[node] = Math.max(this.#values[node]!, value);
        return;
      }
      const side = bitAt(key, this.#bits[node]!);
      const child = this.#children[node * 2 + side]!;
      if (child === 0) {
        const leaf = this.#newNode(key, bits, value);
        this.#children[node * 2 + side] = leaf;
        return;
      }
      const shared = sharedBits(this.#keys, child * this.words, key, Math.min(bits, this.#bits[child]!));
      if (shared === this.#bits[child]) node = child;
      else node = this.#split(node, side, child, key, shared);
    }
  }

  /** The longest prefix of the key, as bits * 4 + value; 0: none. */
  find(key: Uint32Array): number {
    const { words } = this;
    const keys = this.#keys;
    const whole = words * 32;
    let node = 0;
    let found = this.#values[0]!;
    for (let bits = 0; bits < whole;) {
      node = this.#children[node * 2 + bitAt(key, bits)]!;
      if (node === 0) break;
      bits = this.#bits[node]!;
      if (words === 1) {
        if ((keys[node]! ^ key[0]!) >>> (32 - bits) !== 0) break;
      } else if (sharedBits(keys, node * words, key, bits) < bits) break;
      const value = this.#values[node]!;
      if (value !== 0) found = bits * 4 + value;
    }
    return found;
  }

  /** Gives back the memory that was held for more nodes. */
  trim(): void {
    this.#resize(this.#count);
  }

  /** Puts a node of the shared bits between the node and its child. */
  #split(parent: number, side: number, child: number, key: Uint32Array, shared: number): number {
    const middle = this.#newNode(key, shared, 0);
    const childSide = bitAt(this.#keys.subarray(child * this.words), shared);
    this.#children[middle * 2 + childSide] = child;
    this.#children[parent * 2 + side] = middle;
    return middle;
  }

  /** Bits of the key behind the prefix may stay: they are never looked at. */
  #newNode(key: Uint32Array, bits: number, value: number): number {
    if (this.#count === this.#bits.length) this.#resize(this.#count * 2);
    const node = this.#count;
    this.#count += 1;
    for (let word = 0; word < this.words; word += 1) this.#keys[node * this.words + word] = key[word]!;
    this.#bits[node] = bits;
    this.#values[node] = value;
    return node;
  }

  #resize(capacity: number): void {
    const resized = <T extends Uint8Array | Uint32Array>(into: T, from: T): T => {
      into.set(from.subarray(0, into.length));
      return into;
    };
    this.#keys = resized(new Uint32Array(capacity * this.words), this.#keys);
    this.#bits = resized(new Uint8Array(capacity), this.#bits);
    this.#values = resized(new Uint8Array(capacity), this.#values);
    this.#children = resized(new Uint32Array(capacity * 2), this.#children);
  }
}

function bitAt(key: Uint32Array, bit: number): 0 | 1 {
  return ((key[bit >>> 5]! >>> (31 - (bit & 31))) & 1) as 0 | 1;
}
