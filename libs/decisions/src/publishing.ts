import type { Decision, Hold, ReasonCode, UnavailableAnswer } from '#usher/domain';
import type { Asker } from './asking.js';
import type { CheckContext, Settled } from './check-context.js';

/**
 * Who may publish. Asked about each time by itself: nothing is kept, shared or carried through an outage, no session is
 * opened, and on trust nobody publishes unless his route says so. Never rejects.
 */
export async function publishing(
  context: CheckContext,
  held: Hold | undefined,
  asker: Asker,
): Promise<Settled> {
  const { route, lacksCredentials } = context;
  if (held !== undefined) return { decision: heldDecision(held) };
  if (route.isGap === true) return { decision: refused('publish-unrouted') };
  const ruled = await ruling(context);
  if (ruled !== undefined) return { decision: ruled };
  if (route.target === undefined && route.isPublic !== true) return { decision: refused('rule-undecided') };
  if (route.target === undefined) return { decision: { allow: true, source: 'rule', reason: 'public' } };
  if (lacksCredentials === true) return { decision: refused('credentials-missing') };
  // A worker opens a session of whom the backend allows, unless he has to be admitted first.
  return asker
    .ask({ ...context, unopened: true }, route.target)
    .then(({ answer, source }): Settled => {
      if (answer.kind === 'unavailable') return { decision: standsIn(context, answer), answer };
      const { backend, status, redirect, tookMs } = answer;
      const said = { source, backend, status, redirect, tookMs };
      return answer.kind === 'allow'
        ? { decision: { ...said, allow: true, reason: 'publish-allowed', user: answer.user }, answer }
        : { decision: { ...said, allow: false, reason: answer.reason }, answer };
    })
    .catch((): Settled => ({ decision: refused('internal') }));
}

function heldDecision(hold: Hold): Decision {
  const allow = hold.effect === 'pass';
  return { allow, source: 'hold', reason: allow ? 'held-passed' : 'held-refused', hold };
}

/** What the gateway decides itself; undefined: nothing. */
async function ruling({ route: { rules }, check }: CheckContext): Promise<Decision | undefined> {
  const outcome = rules?.refusal(check) ?? (await rules?.decide(check));
  if (outcome === undefined || outcome.kind === 'pass') return undefined;
  return outcome.kind === 'deny'
    ? refused(outcome.reason)
    : { allow: true, source: 'rule', reason: 'rule-allowed', user: outcome.user };
}

function refused(reason: ReasonCode): Decision {
  return { allow: false, source: 'rule', reason };
}

function standsIn({ route }: CheckContext, { backend, because }: UnavailableAnswer): Decision {
  const allow = because === 'backend' && route.failMode.kind === 'open';
  return allow
    ? { allow, source: 'fail-open', reason: 'on-trust', backend, because }
    : { allow, source: 'fail-closed', reason: 'refused-unavailable', backend, because };
}
