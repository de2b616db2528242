import type { BackendAnswer } from '#usher/domain';
import type { Outcome } from '../breaker/breaker.js';

/** What a breaker may learn from an answer. A denial is good; what is our fault says nothing about the backend. */
export function outcomeOf(answer: BackendAnswer): Outcome {
  if (answer.kind !== 'unavailable') return 'good';
  return answer.because === 'backend' ? 'bad' : 'none';
}
