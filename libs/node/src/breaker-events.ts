import type { BreakerEvent } from '#usher/backends';
import type { OwedEvents } from '#usher/sessions';

/**
 * Tells of the turns of breakers that this process brought about, as `breaker.suspended`, `breaker.half-open`,
 * `breaker.ramping` and `breaker.closed`; steps of a ramp are none.
 */
export function breakerEvents(events: Pick<OwedEvents, 'tell'>): (event: BreakerEvent) => void {
  return (event) => {
    if (event.kind !== 'breaker.changed') return;
    const { backend, record } = event;
    const { state, since, downSince, by } = record;
    if (state === 'ramping' && record.step > 0) return;
    const times = { since: Math.round(since), downSince: Math.round(downSince) || undefined };
    events.tell(`breaker.${state}`, backend, { backend, ...times, by }).catch(() => undefined);
  };
}
