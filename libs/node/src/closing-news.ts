import type { StreamClient } from '#usher/bus';
import type { Log, SessionName } from '#usher/domain';
import type { Ending } from '#usher/sessions';

const CLOSED = 'sessions.closed';
/** Nobody asked about it for its life; version N-1 has two words for each and passes these over. */
const IDLE = 'idle';
/** Told together: an edge that restarts closes thousands at once. */
const TOLD_AT_ONCE = 500;
const COLLECT_MS = 10;

/** Sessions that ended, told to all processes: whoever keeps a decision for one that was ended forgets it. */
export function closingNews(bus: Pick<StreamClient, 'emit' | 'events'>, log: Log) {
  let waiting: [edge: string, sessionId: string, idle?: typeof IDLE][] = [];
  let timer: NodeJS.Timeout | undefined;
  const underWay = new Set<Promise<void>>();
  /** Resolves when it is told, or cannot be: who does not hear it keeps an allow until its time is up; no viewer is harmed. */
  const told = (part: typeof waiting): Promise<void> =>
    new Promise((resolve) => {
      const onError = (error: unknown): void => {
        log.debug({ error }, 'the end of sessions could not be told');
        resolve();
      };
      bus.emit(CLOSED, part).subscribe({ complete: resolve, error: onError });
    });
  const tell = (): void => {
    clearTimeout(timer);
    const all = waiting;
    waiting = [];
    for (let from = 0; from < all.length; from += TOLD_AT_ONCE) {
      const telling = told(all.slice(from, from + TOLD_AT_ONCE)).finally(() => underWay.delete(telling));
      underWay.add(telling);
    }
  };
  return {
    note: (names: readonly SessionName[], how: Ending): void => {
      if (waiting.length === 0 && names.length > 0) timer = setTimeout(tell, COLLECT_MS).unref();
      for (const { edge, sessionId } of names) {
        waiting.push(how === IDLE ? [edge, sessionId, IDLE] : [edge, sessionId]);
      }
    },
    /** Tells what waits, and resolves when all that was told is on its way, or cannot be: before the bus is closed. */
    flush: async (): Promise<void> => {
      tell();
      await Promise.all(underWay);
    },
    hear: (listener: (names: readonly SessionName[], how: Ending) => void): void => {
      bus.events.on(CLOSED, (data) => {
        if (!Array.isArray(data)) return;
        const ended = data.filter((words) => isTold(words, 2));
        const idle = data.filter((words) => isTold(words, 3) && words[2] === IDLE);
        if (ended.length > 0) listener(ended.map(nameIn), 'ended');
        if (idle.length > 0) listener(idle.map(nameIn), 'idle');
      });
    },
  };
}

function isTold(words: unknown, count: number): words is string[] {
  return Array.isArray(words) && words.length === count && words.every((word) => typeof word === 'string');
}

const nameIn = ([edge = '', sessionId = '']: string[]): SessionName => ({ edge, sessionId });
