import type { IncomingMessage, ServerResponse } from 'node:http';
import { cacheBounds, type Kept, type KeptDecisions } from '#usher/decisions';
import type { EdgeAnswer } from '#usher/dialects';
import type { Clock, DialectName } from '#usher/domain';
import type { CheckMetrics } from '#usher/observe';
import { LRUCache } from 'lru-cache';
import { flatHeaders, writeAnswer, type FlatHeaders, type ReplyStyle } from './reply.js';
import { factsOf, hasFacts, requestKey, wordsOf, type RequestFacts } from './request-key.js';

interface Remembered {
  readonly facts: RequestFacts;
  readonly kept: Kept;
  readonly dialect: DialectName;
  readonly status: number;
  readonly headers: FlatHeaders;
}

/**
 * The hot path: a request that is to the letter one that was answered is answered again, as long as what was decided
 * stands. One short key into a map; no JSON, no regular expression, nothing awaited.
 */
export class Memory {
  private readonly answers: LRUCache<string, Remembered>;

  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly kept: KeptDecisions,
    private readonly metrics: CheckMetrics,
    private readonly style: ReplyStyle,
    private readonly nextId: () => string,
    entries: number,
  ) {
    this.answers = new LRUCache(cacheBounds(entries, ({ facts }, key) => key.length + wordsOf(facts)));
  }

  /** True when it was answered. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const startedAt = this.metrics.isTimed ? this.clock.monotonic() : undefined;
    const known = this.answers.get(requestKey(request));
    if (known === undefined || !hasFacts(request, known.facts) || !this.kept.isFresh(known.kept)) {
      this.metrics.miss();
      return false;
    }
    const { decision } = known.kept;
    this.kept.note(known.kept);
    this.metrics.hit();
    this.metrics.count(known.dialect, decision.allow, decision.source);
    writeAnswer(response, this.style, known, known.headers, decision.source, this.nextId());
    if (startedAt !== undefined) this.metrics.timed(decision.source, this.clock.monotonic() - startedAt);
    return true;
  }

  keep(request: IncomingMessage, dialect: DialectName, kept: Kept, answer: EdgeAnswer): void {
    const facts = factsOf(request);
    const headers = flatHeaders(answer);
    this.answers.set(requestKey(request), { facts, kept, dialect, status: answer.status, headers });
  }

  get size(): number {
    return this.answers.size;
  }
}
