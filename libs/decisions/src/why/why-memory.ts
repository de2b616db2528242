import { plainAddress } from '#usher/sessions';
import type { Check, Decision } from '#usher/domain';
import { LastAnswers } from './last-answers.js';
import type { Remembered } from './last-answers.js';
import { NotableAnswers } from './notable-answers.js';
import { notableKind, whyRecord } from './why-record.js';
import type { AnswerGiven, NotableKind, WhyRecord } from './why-record.js';

/** A user or an address keeps so many. */
export const PER_NAME = 20;

/** `answers`: those kept by user and by address, each; and of each kind that is no plain allow. */
export type WhyMemoryBounds = Readonly<Record<'answers' | NotableKind, number>>;

/** What this process remembers of the answers it gave. */
export class WhyMemory {
  readonly #byUser: LastAnswers;
  readonly #byAddress: LastAnswers;
  readonly #notable: NotableAnswers;

  constructor({ answers, ...notable }: WhyMemoryBounds) {
    this.#notable = new NotableAnswers(notable);
    this.#byUser = new LastAnswers(PER_NAME, answers);
    this.#byAddress = new LastAnswers(PER_NAME, answers);
  }

  /**
   * Remembers an answer; `namespace` is that of its user, if it names one.
   * @returns its record, or undefined where it only repeats what is remembered: then nothing was allocated.
   */
  note(check: Check, given: AnswerGiven, namespace: string, at: number): WhyRecord | undefined {
    const { decision } = given;
    const kind = notableKind(decision);
    const plain = kind === undefined;
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
    if (kind !== undefined) this.#notable.add(kind, one);
    return record;
  }

  byUser(namespace: string, user: string): Remembered[] {
    return this.#byUser.of(userName(namespace, user));
  }

  byAddress(ip: string): Remembered[] {
    return this.#byAddress.of(ip);
  }

  /** What was not a plain allow, the newest first. */
  notable(): Remembered[] {
    return this.#notable.newestFirst();
  }

  #repeated(check: Check, decision: Decision, namespace: string, plain: boolean): Remembered | undefined {
    const here = this.#byAddress.findRepeat(plainAddress(check.ip), check, decision, plain);
    if (here !== undefined || !decision.user) return here;
    return this.#byUser.findRepeat(userName(namespace, decision.user), check, decision, plain);
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
