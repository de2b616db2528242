import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '#usher/config';
import { compileRoutes, Limiting } from '#usher/decisions';
import { DIALECTS } from '#usher/dialects';
import type { BackendAnswer, Check, Clock, DeviceLimits, Holds, Log, Question, Session } from '#usher/domain';
import type { RedisSessionRegistry } from '#usher/sessions';
import type { Settle } from './settlement.js';

/** What stood in for the answer may be about to be written when it comes: looked for again after so long, ms. */
const WRITTEN_BY = 500;

export interface LateAnswersParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Pick<RedisSessionRegistry, 'find' | 'revoke'>;
  readonly limits: DeviceLimits;
  readonly holds: Holds;
  readonly settle: Settle;
  /** What was asked; undefined where it is not known. */
  readonly questionOf: (check: Check) => Question | undefined;
}

/**
 * What an answer means that came when nobody waited for it any more: who asked has gone, and a token that is good once
 * would be refused the next time. So its session is opened though nobody could be refused, and takes its place under a cap
 * on devices; who is too many is evicted when his user is counted again, soon. A denial ends what was let in in its place,
 * or whoever asks at an edge that waits for less time than his backend takes would be let in each time; a session that the
 * backend allowed it leaves alone.
 */
export function lateAnswers(parts: LateAnswersParts) {
  const { config, clock, limits, holds, settle, questionOf } = parts;
  const routeOf = compileRoutes(config);
  const limiting = new Limiting({ clock, config, limits, holds });
  return (check: Check, answer: BackendAnswer): void => {
    const question = questionOf(check);
    if (question === undefined) return;
    const { identity, unguarded, renews } = question;
    settle(check, identity, answer, { unguarded, renews });
    // Mode observe refuses nobody, a session that is renewed has its place, and who publishes watches nothing.
    if (unguarded === true || renews !== undefined || check.action === 'publish') return;
    if (answer.kind === 'deny') {
      // What one member of a group says is not the group's word.
      if (question.target === answer.backend) void endStandIn(parts, question);
      return;
    }
    if (answer.kind !== 'allow' || !Object.hasOwn(DIALECTS, check.dialect)) return;
    const { habit } = DIALECTS[check.dialect];
    void limiting.countLate({ check, identity, route: routeOf(check), habit }, answer);
  };
}

/** Never rejects: while Redis is away nobody is cut. */
async function endStandIn(
  { registry, log }: LateAnswersParts,
  { check, identity: { fingerprint } }: Question,
): Promise<void> {
  try {
    for (const wait of [0, WRITTEN_BY]) {
      if (wait > 0) await delay(wait, undefined, { ref: false });
      const found = await registry.find(check, fingerprint);
      if (found.kind === 'none') continue;
      if (found.kind === 'same' && stoodIn(found.session)) {
        await registry.revoke(check, 'denied-on-recheck', { fingerprint });
      }
      return;
    }
  } catch (error) {
    log.debug({ error, id: check.id }, 'whom a late answer denies could not be looked for');
  }
}

/** Nobody allowed this very session: it was let in on trust, or for somebody whom the backend knew. */
function stoodIn({ state, source }: Session): boolean {
  return state === 'on-trust' || (state === 'active' && source === 'known');
}
