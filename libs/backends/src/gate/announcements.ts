import type { Log } from '#usher/domain';
import type { BreakerRecord, BreakerState } from '../breaker/record.js';
import type { Suspicion } from './guard.js';

const SENTENCES: Record<BreakerState, string> = {
  suspended: 'a backend is suspended after failures: nobody asks it',
  'half-open': 'a suspended backend is probed, one question at a time',
  ramping: 'a backend is asked again, by a growing part',
  closed: 'a backend is asked again by everybody: its outage is over',
};

/** Every process logs what it follows: so one sees afterwards who knew what, and when. */
export function tellChange(log: Log, backend: string, now: BreakerRecord, before: BreakerRecord): void {
  if (now.state === before.state) return;
  const { state, since, downSince, rateBefore, by } = now;
  const fields = { backend, state, was: before.state, since, downSince, rateBefore, by };
  if (state === 'suspended') log.warn(fields, SENTENCES[state]);
  else log.info(fields, SENTENCES[state]);
}

export function tellIsolation(log: Log, backend: string, isolated: boolean): void {
  if (isolated)
    log.warn({ backend }, 'this process does not reach a backend that others reach: it asks it no more');
  else log.info({ backend }, 'this process reaches the backend again');
}

export function tellSuspicion(log: Log, backend: string, suspicion: Suspicion | undefined): void {
  if (suspicion === undefined) log.info({ backend }, 'a backend’s answers are as usual again');
  else log.warn({ backend, ...suspicion }, 'a backend’s answers are clean, and yet unlike it');
}
