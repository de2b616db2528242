import type { CheckReply } from './usher-process.js';

/** A check's deadline of 2 s, and what a busy machine may add, ms. */
const IN_TIME = 3_500;

/** What was answered, in short: `200 cache`; throws where it came too late. */
export function inTime({ status, source, tookMs }: CheckReply): string {
  if (tookMs > IN_TIME) throw new Error(`answered ${status} ${source} after ${Math.round(tookMs)} ms`);
  return `${status} ${source}`;
}

/**
 * As `inTime`, but `200 asked` whoever asked: where a busy machine takes longer than 150 ms until a worker picks a
 * question up, the gateway asks by itself, and most tests are not about that.
 */
export function told(reply: CheckReply): string {
  return inTime(reply).replace(/ (backend|direct)$/, ' asked');
}

/** The source of an answer that a backend gave just now, whoever asked it. */
export const ASKED = expect.stringMatching(/^(backend|direct)$/) as unknown as string;
