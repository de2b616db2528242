import type { BackendAnswer } from '#usher/domain';

/** How a call ended, as far as the backend is concerned; `none`: cancelled, busy, or our own fault. */
export type Outcome = 'good' | 'bad' | 'none';

/** What a breaker may learn from an answer. A denial is good: the backend knew it. */
export function outcomeOf(answer: BackendAnswer): Outcome {
  if (answer.kind !== 'unavailable') return 'good';
  return answer.because === 'backend' ? 'bad' : 'none';
}
