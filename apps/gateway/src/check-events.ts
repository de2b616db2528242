import type { Settled } from '#usher/decisions';
import type { Check, Clock } from '#usher/domain';
import { Throttle } from '#usher/observe';
import type { EventWriter } from '#usher/sessions';

/** A box that is refused tries again for ever: one event per address and reason in this time, ms. */
const EVERY = 10_000;
/** Addresses and reasons that are remembered for that. */
const REMEMBERED = 10_000;

/**
 * Tells of each denial (`check.denied`), and of each viewer who was let in without a decision (`check.trusted`): one
 * event per address and reason in 10 s, with the number of those left out. Not waited for, and lost while Redis is away.
 */
export function checkEvents(
  events: Pick<EventWriter, 'tell'>,
  clock: Clock,
): (check: Check, settled: Settled) => void {
  const throttle = new Throttle(clock, { every: EVERY, maxKeys: REMEMBERED });
  return (check, { decision, answer }) => {
    if (decision.allow && decision.because === undefined) return;
    const { id, edge, sessionId, channel, ip } = check;
    const { source, reason, backend, user, status, because, hold } = decision;
    const suppressed = throttle.pass(`${ip} ${source} ${reason}`);
    if (suppressed === undefined) return;
    const cause = answer?.kind === 'unavailable' ? answer.reason : undefined;
    const facts = { id, edge, sessionId, channel, ip, user, backend, source, reason, status, because, cause };
    const held = hold && `${hold.kind}:${hold.subject}`;
    events
      .tell(decision.allow ? 'check.trusted' : 'check.denied', `${edge}/${sessionId}`, {
        ...facts,
        hold: held,
        suppressed: suppressed === 0 ? undefined : suppressed,
      })
      .catch(() => undefined);
  };
}
