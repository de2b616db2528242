import type { Check, Decision } from '#usher/domain';
import { LRUCache } from 'lru-cache';
import type { WhyRecord } from './why-record.js';

/** A record in memory, and what tells whether the next answer is the same one again. Wire strings are raw here. */
export interface Remembered {
  readonly record: WhyRecord;
  readonly plain: boolean;
  readonly edge: string;
  readonly sessionId: string;
  readonly channel: string;
  readonly user: string | undefined;
  repeats: number;
  lastAt: number;
}

/** The same session got the same answer again. */
export function isRepeat(one: Remembered, check: Check, decision: Decision, plain: boolean): boolean {
  if (one.sessionId !== check.sessionId || one.edge !== check.edge || one.channel !== check.channel)
    return false;
  if (one.plain !== plain || one.user !== decision.user) return false;
  // Plain allows differ in the rung only: first the backend, later the cache.
  return plain || (one.record.reason === decision.reason && one.record.source === decision.source);
}

/**
 * The last answers by name, a user's or an address's. Bounded in answers, all names together: the name that got
 * nothing new for longest is forgotten first.
 */
export class LastAnswers {
  readonly #perName: number;
  readonly #max: number;
  /** A Map would look through all that it ever forgot, each time that it forgets one more. */
  readonly #lists: LRUCache<string, Remembered[]>;
  #total = 0;

  constructor(perName: number, max: number) {
    if (!(perName >= 1) || !(max >= perName)) throw new RangeError('why: at least one list must fit');
    this.#perName = perName;
    this.#max = max;
    const dispose = (list: Remembered[]): void => void (this.#total -= list.length);
    this.#lists = new LRUCache({ max, dispose });
  }

  get total(): number {
    return this.#total;
  }

  /** The one that this answer repeats. Allocates nothing. */
  findRepeat(name: string, check: Check, decision: Decision, plain: boolean): Remembered | undefined {
    const list = this.#lists.peek(name);
    if (list === undefined) return undefined;
    for (let i = list.length - 1; i >= 0; i -= 1) {
      if (isRepeat(list[i]!, check, decision, plain)) return list[i];
    }
    return undefined;
  }

  add(name: string, one: Remembered): void {
    const known = this.#lists.get(name);
    const list = known ?? [];
    if (known === undefined) this.#lists.set(name, list);
    list.push(one);
    if (list.length > this.#perName) list.shift();
    else this.#total += 1;
    while (this.#total > this.#max) this.#lists.pop();
  }

  /** The newest first. */
  of(name: string): Remembered[] {
    return [...(this.#lists.peek(name) ?? [])].reverse();
  }
}
