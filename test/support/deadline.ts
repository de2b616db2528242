import type { CheckReply } from './usher-process.js';

/** A check's deadline of 2 s, and what a busy machine may add, ms. */
export const IN_TIME = 3_500;

/** What was answered, in short: `200 cache`; throws where it came too late. */
export function inTime({ status, source, tookMs }: CheckReply): string {
  if (tookMs > IN_TIME) throw new Error(`answered ${status} ${source} after ${Math.round(tookMs)} ms`);
  return `${status} ${source}`;
}
