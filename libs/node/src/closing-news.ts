import type { StreamClient } from '#usher/bus';
import type { Log, SessionName } from '#usher/domain';

const CLOSED = 'sessions.closed';
/** Told together: an edge that restarts closes thousands at once. */
const TOLD_AT_ONCE = 500;
const COLLECT_MS = 10;

/** Sessions that ended, told to all processes: whoever keeps a decision for one forgets it. */
export function closingNews(bus: StreamClient, log: Log) {
  let waiting: [edge: string, sessionId: string][] = [];
  const tell = (): void => {
    const told = waiting;
    waiting = [];
    for (let from = 0; from < told.length; from += TOLD_AT_ONCE) {
      bus.emit(CLOSED, told.slice(from, from + TOLD_AT_ONCE)).subscribe({
        // A gateway that does not hear it keeps an allow until its time is up: no viewer is harmed.
        error: (error: unknown) => log.debug({ error }, 'the end of sessions could not be told'),
      });
    }
  };
  return {
    note: (names: readonly SessionName[]): void => {
      if (waiting.length === 0 && names.length > 0) setTimeout(tell, COLLECT_MS).unref();
      for (const { edge, sessionId } of names) waiting.push([edge, sessionId]);
    },
    hear: (listener: (names: readonly SessionName[]) => void): void => {
      bus.events.on(CLOSED, (data) => {
        if (!Array.isArray(data)) return;
        const pairs = data.filter(
          (pair): pair is [string, string] => Array.isArray(pair) && pair.length === 2,
        );
        listener(pairs.map(([edge, sessionId]) => ({ edge, sessionId })));
      });
    },
  };
}
