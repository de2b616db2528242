import { setTimeout as sleep } from 'node:timers/promises';

export interface EventuallyOptions {
  /** The deadline, ms; generous, since it is only reached by a failing test. Default 30,000. */
  readonly withinMs?: number;
  /** Between two tries, ms. Default: a tenth of the time that it has waited, 5 to 50. */
  readonly everyMs?: number;
}

/**
 * Calls `probe` until it neither throws nor returns false, and gives back what it returned.
 * At the deadline it rejects with the probe's last error.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  { withinMs = 30_000, everyMs }: EventuallyOptions = {},
): Promise<T> {
  const begun = performance.now();
  for (;;) {
    let failure: unknown;
    try {
      const value = await probe();
      if (value !== false) return value;
      failure = new Error(`still false after ${withinMs} ms`);
    } catch (error) {
      failure = error;
    }
    const waited = performance.now() - begun;
    if (waited >= withinMs) throw failure;
    // Soon where it is a matter of milliseconds; what takes seconds is not slowed down by who looks.
    await sleep(everyMs ?? Math.min(50, Math.max(5, waited / 10)));
  }
}
