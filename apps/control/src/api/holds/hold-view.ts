import { z } from 'zod';
import { readable, type Hold } from '#usher/domain';
import { instantText, timeText } from '../endpoint/fields.js';

/** What can be held by hand. */
export const KINDS = [
  'credential',
  'viewer',
  'address',
  'network',
  'agent',
  'channel',
  'user',
  'user-viewer',
] as const;

/** A hold as it is sent. */
export const holdView = z.strictObject({
  kind: z.enum(KINDS),
  subject: z.string().describe('What is held; of a credential its digest.'),
  effect: z.enum(['refuse', 'pass']).describe('refuse, or let in unasked.'),
  since: instantText,
  until: instantText,
  origin: z.string().describe('hand, kick, eviction or protection'),
  by: z.string(),
  reason: z.string(),
});

export type HoldView = z.output<typeof holdView>;

export function holdViewOf({ kind, subject, effect, since, until, origin, by, reason }: Hold): HoldView {
  const [from, to] = [timeText(since), timeText(until)];
  return { kind, subject: readable(subject), effect, since: from, until: to, origin, by, reason };
}

export const HOLD_EXAMPLE: HoldView = {
  kind: 'user',
  subject: 'portal/100500',
  effect: 'refuse',
  since: '2026-01-31T02:00:00.000Z',
  until: '2026-01-31T08:00:00.000Z',
  origin: 'hand',
  by: 'night shift',
  reason: 'shares the account',
};
