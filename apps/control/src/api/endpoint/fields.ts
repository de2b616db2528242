import { z } from 'zod';

/** Fields that several calls have. Every parameter is text when it comes. */

/** A name or a word: at most 256 characters. */
export const short = z.string().min(1, 'empty').max(256, 'at most 256 characters');

/** How many at most: 1 to `most`, by default 100. */
export const limit = (most: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,3}$/, `a whole number from 1 to ${most}`)
    .transform(Number)
    .refine((value) => value <= most, `a whole number from 1 to ${most}`)
    .prefault('100')
    .describe(`At most so many, 1 to ${most}.`);

/** An instant by the clock that it is asked at: cluster time, ms. */
export type Instant = (now: number) => number;

/** ISO 8601 with its zone, or a time back from now: `15m`, `6h`, `2d`. */
export const instant = z
  .string()
  .transform((text, context): Instant => {
    const back = /^(\d{1,5})([smhd])$/.exec(text);
    if (back !== null) return (now) => now - Number(back[1]) * UNITS[back[2]!]!;
    const at = isoInstant(text);
    if (Number.isFinite(at)) return () => at;
    context.addIssue({ code: 'custom', message: 'a time such as 2026-01-31T12:00:00Z, or 15m, 6h, 2d ago' });
    return z.NEVER;
  })
  .describe('A time such as 2026-01-31T12:00:00Z, or so long ago: 15m, 6h, 2d.');

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function isoInstant(text: string): number {
  const isIso = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  return isIso ? Date.parse(text) : Number.NaN;
}

/** An instant as it is sent. */
export const instantText = z.iso.datetime().describe('UTC.');

/** Text as the byte string (one character per byte) that came over the wire. */
export function wireString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Cluster time (ms) as it is sent. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
