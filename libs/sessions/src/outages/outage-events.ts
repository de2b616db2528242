import type { Log } from '#usher/domain';
import type { EventFacts, EventWriter } from '../events/event-writer.js';

/**
 * `outage.expiring`: a limit of letting in on trust is near; `outage.expired`: it is reached; `outage.cut-stopped`: too
 * many of those asked about would have been cut.
 */
export type OutageEvent =
  | 'outage.started'
  | 'outage.ended'
  | 'outage.expiring'
  | 'outage.expired'
  | 'outage.settled'
  | 'outage.cut-stopped';

/** Tells of an outage, in the log and as an event. Never throws, never waits. */
export type TellOutage = (type: OutageEvent, backend: string, facts: EventFacts) => void;

const SENTENCES: Readonly<Record<OutageEvent, string>> = {
  'outage.started': 'an outage began: who is let in without a decision is written down',
  'outage.ended': 'an outage is over',
  'outage.expiring': 'letting in on trust is about to reach its limit',
  'outage.expired': 'letting in on trust has reached its limit',
  'outage.settled': 'an outage is settled: its report is complete',
  'outage.cut-stopped':
    'of those let in on trust too many would have been cut: nobody is, look at the backend',
};

export function outageEvents(events: Pick<EventWriter, 'tell'>, log: Log): TellOutage {
  return (type, backend, facts) => {
    const fields = { backend, ...facts };
    if (type === 'outage.ended' || type === 'outage.settled') log.info(fields, `${type}: ${SENTENCES[type]}`);
    else log.warn(fields, `${type}: ${SENTENCES[type]}`);
    events.tell(type, backend, fields).catch((error: unknown) => {
      log.warn({ error, type }, 'an event of an outage could not be written');
    });
  };
}
