import { HoldsFullError, HoldSubjectError } from '#usher/sessions';
import { Problem } from '../problems/problem.js';

/** What a caller is told of a hold that cannot be set; anything else is as it was. */
export function holdProblem(error: unknown): unknown {
  if (error instanceof HoldSubjectError || error instanceof RangeError) {
    return new Problem('bad-body', error.message);
  }
  return error instanceof HoldsFullError ? new Problem('not-now', error.message) : error;
}
