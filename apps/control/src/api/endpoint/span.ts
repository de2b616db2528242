import { z } from 'zod';

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A length of time: `90s`, `15m`, `6h`, `2d`; as milliseconds. */
export const span = z
  .string()
  .regex(/^\d{1,6}[smhd]$/, 'a length of time such as 90s, 15m, 6h, 2d')
  .transform((text) => Number(text.slice(0, -1)) * UNITS[text.at(-1)!]!)
  .describe('A length of time: 90s, 15m, 6h, 2d.');

/** An end that lies ahead: `until` an instant, or `for` so long from now. Both or none is an error. */
export const ending = {
  until: z.iso.datetime({ offset: true }).optional().describe('Until this time, or'),
  for: span.optional().describe('for so long.'),
};

/** Longer, and nobody remembers why, ms. */
const LONGEST = 3_660 * 86_400_000;

/** One of both, at most ten years ahead. */
export function hasOneEnd(given: { readonly until?: string | undefined; readonly for?: number | undefined }) {
  return (given.until === undefined) !== (given.for === undefined);
}

/** The end in cluster time, ms; never more than ten years ahead. */
export function endOf(
  given: { readonly until?: string | undefined; readonly for?: number | undefined },
  now: number,
) {
  const until = given.until === undefined ? now + (given.for ?? 0) : Date.parse(given.until);
  return Math.min(until, now + LONGEST);
}
