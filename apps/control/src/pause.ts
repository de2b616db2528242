import { setTimeout as delay } from 'node:timers/promises';

/** Waits so long, ms, or until the signal; never rejects. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

export const pause: Pause = async (ms, signal) => {
  if (ms > 0) await delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
};
