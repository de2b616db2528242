import type { AllowAnswer, Clock, DenyAnswer } from '#usher/domain';
import { LRUCache } from 'lru-cache';
import { cacheBounds } from './cache-bounds.js';

interface Shared {
  readonly answer: AllowAnswer | DenyAnswer;
  /** Monotonic, ms. */
  readonly keptAt: number;
  readonly until: number;
}

/** How long an answer without X-AuthDuration is shared between sessions, ms. */
export interface AnswerTtl {
  readonly allow: number;
  readonly deny: number;
}

/**
 * Answers shared between sessions that put the same question: every input that the backend sees is in the key. An
 * allow of a reusable credential is shared for its X-AuthDuration; one of a one-shot credential for no longer than
 * answerTtl, whatever its X-AuthDuration: a Ministra link dies after 5 s, yet its answer says 36000, and a link that
 * is passed on must not play for ten hours because we remember it.
 */
export class SharedAnswers {
  private readonly answers: LRUCache<string, Shared>;

  constructor(
    private readonly clock: Clock,
    private readonly ttl: AnswerTtl,
    entries: number,
  ) {
    this.answers = new LRUCache(cacheBounds(entries, (_, key) => key.length));
  }

  /** What is left of an X-AuthDuration is all that it grants to another session. */
  find(questionKey: string): AllowAnswer | DenyAnswer | undefined {
    const shared = this.answers.get(questionKey);
    const now = this.clock.monotonic();
    if (shared === undefined || shared.until <= now) return undefined;
    const { answer, keptAt } = shared;
    if (answer.kind === 'deny') return answer;
    if (answer.until !== undefined && answer.until <= this.clock.now()) return undefined;
    if (answer.authDuration === undefined) return answer;
    return { ...answer, authDuration: answer.authDuration - (now - keptAt) / 1000 };
  }

  keep(questionKey: string, answer: AllowAnswer | DenyAnswer, credential: 'once' | 'reusable'): void {
    // A member of the group could not be asked: nothing unavailable is kept as a denial.
    if (answer.reason === 'group-partial') return;
    const keptAt = this.clock.monotonic();
    this.answers.set(questionKey, { answer, keptAt, until: keptAt + this.ttlOf(answer, credential) });
  }

  /** Forgets every answer: they may be wrong now. */
  clear(): void {
    this.answers.clear();
  }

  /** Forgets the answers that are meant. */
  forget(isMeant: (answer: AllowAnswer | DenyAnswer) => boolean): void {
    for (const [key, { answer }] of Array.from(this.answers.entries())) {
      if (isMeant(answer)) this.answers.delete(key);
    }
  }

  private ttlOf(answer: AllowAnswer | DenyAnswer, credential: 'once' | 'reusable'): number {
    if (answer.kind === 'deny') return this.ttl.deny;
    if (answer.authDuration === undefined) return this.ttl.allow;
    const granted = answer.authDuration * 1000;
    return credential === 'reusable' ? granted : Math.min(granted, this.ttl.allow);
  }
}
