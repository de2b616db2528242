import { setTimeout as sleep } from 'node:timers/promises';

export interface EventuallyOptions {
  /** The deadline, ms; generous, since it is only reached by a failing test. Default 30,000. */
  readonly withinMs?: number;
  /** Between two tries, ms. Default 10. */
  readonly everyMs?: number;
}

/**
 * Calls `probe` until it neither throws nor returns false, and gives back what it returned.
 * At the deadline it rejects with the probe's last error.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  { withinMs = 30_000, everyMs = 10 }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let failure: unknown;
    try {
      const value = await probe();
      if (value !== false) return value;
      failure = new Error(`still false after ${withinMs} ms`);
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= deadline) throw failure;
    await sleep(everyMs);
  }
}
