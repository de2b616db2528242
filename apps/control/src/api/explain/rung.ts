import { z } from 'zod';
import { reasonSentence, type Decision } from '#usher/domain';

export const rungView = z.strictObject({
  rung: z.string(),
  answers: z.enum(['allow', 'deny']).nullable().describe('null: it passes the check on.'),
  says: z.string(),
  because: z.string(),
});

/** One rung of the ladder: what it says to the check, and why. */
export type Rung = z.output<typeof rungView>;

export function passes(rung: string, says: string, because: string): Rung {
  return { rung, answers: null, says, because };
}

export function decides(
  rung: string,
  { allow, reason }: Pick<Decision, 'allow' | 'reason'>,
  because: string,
): Rung {
  return { rung, answers: allow ? 'allow' : 'deny', says: reasonSentence(reason), because };
}
