import type { ShareSuspicion, Suspicion } from '#usher/backends';
import type { Clock } from '#usher/domain';
import type { EventFacts, EventWriter, OwedEvents } from '#usher/sessions';

/** One process tells of one backend at most so often, ms: a share may go to and fro about its bound. */
const EVERY = 60_000;

export interface SuspicionEventsParts {
  readonly events: Pick<EventWriter, 'tell'>;
  readonly clock: Clock;
  /** This process. */
  readonly by: string;
}

/**
 * Tells of what this process's guard makes of a backend, as `backend.suspicious` and `backend.trusted-again`: the latter
 * only after the former.
 */
export function suspicionEvents({ events, clock, by }: SuspicionEventsParts) {
  const toldAt = new Map<string, number>();
  const open = new Set<string>();
  return (backend: string, suspicion: ShareSuspicion | undefined): void => {
    if (suspicion === undefined) {
      if (!open.delete(backend)) return;
    } else {
      if (clock.monotonic() - (toldAt.get(backend) ?? -Infinity) < EVERY) return;
      toldAt.set(backend, clock.monotonic());
      open.add(backend);
    }
    tellSuspicion({ events, by }, 'guard', backend, suspicion).catch(() => undefined);
  };
}

/**
 * Tells of a suspicion, or of its end: `backend.suspicious`, `backend.trusted-again`. Guards and canaries suspect each for
 * themselves. Rejects while Redis is away.
 */
export function tellSuspicion(
  { events, by }: Pick<SuspicionEventsParts, 'events' | 'by'>,
  seenBy: 'guard' | 'canaries',
  backend: string,
  suspicion: Suspicion | undefined,
): Promise<void> {
  const type = suspicion === undefined ? 'backend.trusted-again' : 'backend.suspicious';
  return events.tell(type, backend, { backend, seenBy, ...factsOf(suspicion), by });
}

/** Nobody sends its canaries any more, and what they showed is over. Every process may tell of it: it is told once. */
export function tellLapse(owed: Pick<OwedEvents, 'tell'>, backend: string, until: number): Promise<void> {
  const facts = { backend, seenBy: 'canaries', lapsed: 'yes' };
  return owed.tell('backend.trusted-again', backend, facts, until);
}

function factsOf(suspicion: Suspicion | undefined): EventFacts {
  if (suspicion === undefined) return {};
  const since = Math.round(suspicion.since);
  if (suspicion.kind === 'canary') {
    const { kind, wrong, proven } = suspicion;
    return { kind, wrong: wrong.join(' '), proven: proven.join(' '), since };
  }
  const { kind, percent, usualPercent, answers } = suspicion;
  return { kind, percent: Math.round(percent), usual: Math.round(usualPercent), answers, since };
}
