import { plainAddress } from '#usher/sessions';
import type { Check, Decision } from '#usher/domain';
import { LastAnswers } from './last-answers.js';
import type { Remembered } from './last-answers.js';
import { isPlainAllow, whyRecord } from './why-record.js';
import type { AnswerGiven, WhyRecord } from './why-record.js';

/** A user or an address keeps so many. */
export const PER_NAME = 20;

export interface WhyMemoryBounds {
  /** Answers kept by user and by address, each. */
  readonly answers: number;
  /** Answers kept that were not plain allows. */
  readonly notable: number;
}

/** What this process remembers of the answers it gave. */
export class WhyMemory {
  readonly #byUser: LastAnswers;
  readonly #byAddress: LastAnswers;
  readonly #notable: (Remembered | undefined)[];
  #next = 0;

  constructor({ answers, notable }: WhyMemoryBounds) {
    if (!(notable >= 1)) throw new RangeError('why: at least one answer must fit');
    this.#byUser = new LastAnswers(PER_NAME, answers);
    this.#byAddress = new LastAnswers(PER_NAME, answers);
    this.#notable = Array.from({ length: notable });
  }

  /**
   * Remembers an answer; `namespace` is that of its user, if it names one.
   * @returns its record, or undefined where it only repeats what is remembered: then nothing was allocated.
   */
  note(check: Check, given: AnswerGiven, namespace: string, at: number): WhyRecord | undefined {
    const { decision } = given;
    const plain = isPlainAllow(decision);
    const repeated = this.#repeated(check, decision, namespace, plain);
    if (repeated !== undefined) {
      repeated.repeats += 1;
      repeated.lastAt = at;
      return undefined;
    }
    if (plain && isRepetitionByNature(decision)) return undefined;
    const user = decision.user ? userName(namespace, decision.user) : undefined;
    const record = whyRecord(check, given, user, at);
    const { edge, sessionId, channel } = check;
    const one = { record, plain, edge, sessionId, channel, user: decision.user, repeats: 0, lastAt: at };
    this.#byAddress.add(plainAddress(check.ip), one);
    if (user !== undefined) this.#byUser.add(user, one);
    if (!plain) this.#addNotable(one);
    return record;
  }

  byUser(namespace: string, user: string): Remembered[] {
    return this.#byUser.of(userName(namespace, user));
  }

  byAddress(ip: string): Remembered[] {
    return this.#byAddress.of(ip);
  }

  /** What was not a plain allow, the newest first. */
  *notable(): Generator<Remembered> {
    const size = this.#notable.length;
    for (let i = 1; i <= size; i += 1) {
      const one = this.#notable[(this.#next - i + size) % size];
      if (one === undefined) return;
      yield one;
    }
  }

  #repeated(check: Check, decision: Decision, namespace: string, plain: boolean): Remembered | undefined {
    const here = this.#byAddress.findRepeat(plainAddress(check.ip), check, decision, plain);
    if (here !== undefined || !decision.user) return here;
    return this.#byUser.findRepeat(userName(namespace, decision.user), check, decision, plain);
  }

  #addNotable(one: Remembered): void {
    this.#notable[this.#next] = one;
    this.#next = (this.#next + 1) % this.#notable.length;
  }
}

function userName(namespace: string, user: string): string {
  return `${namespace}/${user}`;
}

/**
 * From this session's own cached decision: it was remembered when it was made. Where its address has forgotten it (a
 * hotel behind one), remembering each repetition anew would push out everything else.
 */
function isRepetitionByNature({ source, reason }: Decision): boolean {
  return source === 'cache' && reason !== 'answer-shared';
}
