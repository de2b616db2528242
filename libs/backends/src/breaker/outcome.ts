import type { BackendAnswer, ReasonCode } from '#usher/domain';

/** How a call ended, as far as the backend is concerned; `none`: cancelled, busy, or our own fault. */
export type Outcome = 'good' | 'bad' | 'none';

/** Denied before a call. */
const NOT_ASKED: ReadonlySet<ReasonCode> = new Set(['bad-request', 'no-credentials']);

/** What a breaker may learn from an answer. A denial is good: the backend knew it, unless it was not asked at all. */
export function outcomeOf(answer: BackendAnswer): Outcome {
  if (NOT_ASKED.has(answer.reason)) return 'none';
  if (answer.kind !== 'unavailable') return 'good';
  return answer.because === 'backend' ? 'bad' : 'none';
}
