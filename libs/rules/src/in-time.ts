import { setTimeout as delay } from 'node:timers/promises';

/** What the work comes to, or `late` where it takes longer than so many ms; it goes on all the same. */
export async function inTime<T>(work: Promise<T>, ms: number, late: T): Promise<T> {
  const patience = new AbortController();
  const tooLate = delay(ms, late, { signal: patience.signal, ref: false }).catch(() => late);
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    patience.abort();
  }
}
