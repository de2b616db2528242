import type { Config } from '#usher/config';
import { compileRoutes, Limiting } from '#usher/decisions';
import { DIALECTS } from '#usher/dialects';
import type { BackendAnswer, Check, Clock, DeviceLimits, Holds, Question } from '#usher/domain';
import type { Settle } from './settlement.js';

export interface LateAnswersParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly limits: DeviceLimits;
  readonly holds: Holds;
  readonly settle: Settle;
  /** What was asked; undefined where it is not known. */
  readonly questionOf: (check: Check) => Question | undefined;
}

/**
 * What an answer means that came when nobody waited for it any more: who asked has gone, and a token that is good once
 * would be refused the next time. So its session is opened though nobody could be refused, and takes its place under a cap
 * on devices; who is too many is evicted when his user is counted again, soon.
 */
export function lateAnswers({ config, clock, limits, holds, settle, questionOf }: LateAnswersParts) {
  const routeOf = compileRoutes(config);
  const limiting = new Limiting({ clock, config, limits, holds });
  return (check: Check, answer: BackendAnswer): void => {
    const question = questionOf(check);
    if (question === undefined) return;
    const { identity, unguarded, renews } = question;
    settle(check, identity, answer, { unguarded, renews });
    // Mode observe refuses nobody, a session that is renewed has its place, and who publishes watches nothing.
    if (unguarded === true || renews !== undefined || check.action === 'publish') return;
    if (answer.kind !== 'allow' || !Object.hasOwn(DIALECTS, check.dialect)) return;
    const { habit } = DIALECTS[check.dialect];
    void limiting.countLate({ check, identity, route: routeOf(check), habit }, answer);
  };
}
