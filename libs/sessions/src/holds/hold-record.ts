import type { Hold, HoldKind, HoldOrigin } from '#usher/domain';
import { decodeName, encodeName } from '#usher/redis';
import { wordsOf, type TimedFields, type TimedKind, type TimedRecord } from '../timed/timed-record.js';

/** Raised only for a change that version N-1 could not read. */
const VERSION = 1;
/** Every process remembers all of them. */
const MOST = 100_000;

const KINDS: ReadonlySet<string> = new Set<HoldKind>([
  'credential',
  'viewer',
  'address',
  'network',
  'agent',
  'channel',
  'user-viewer',
  'user',
]);
const ORIGINS: ReadonlySet<string> = new Set<HoldOrigin>(['hand', 'kick', 'eviction', 'protection']);
const EFFECTS: ReadonlySet<string> = new Set<HeldRecord['effect']>(['refuse', 'pass', 'lifted']);

/** A hold, or what is left of one that was lifted: it says so until its time is up. */
export interface HeldRecord extends Omit<Hold, 'effect'> {
  readonly effect: Hold['effect'] | 'lifted';
}

/** What Redis does not set by itself. */
export type HeldFields = Pick<HeldRecord, 'effect' | 'origin' | 'by' | 'reason'>;

/** A hold's name in Redis: `<kind>:<subject>`, the subject encoded. */
export function holdName(kind: HoldKind, subject: string): string {
  return `${kind}:${encodeName(subject)}`;
}

/** The JSON part of a record, its texts bounded and without control characters. */
export function holdJson({ effect, origin, by, reason }: HeldFields): string {
  return JSON.stringify({ v: VERSION, effect, origin, ...wordsOf({ by, reason }) });
}

/** The table of holds: `usher:{holds}`. */
export const HOLDS: TimedKind<HeldRecord> = {
  table: 'holds',
  most: MOST,
  nameOf: ({ kind, subject }) => holdName(kind, subject),
  jsonOf: holdJson,
  read: readHold,
};

function readHold(name: string, times: TimedRecord, fields: TimedFields): HeldRecord | undefined {
  const colon = name.indexOf(':');
  const kind = name.slice(0, colon);
  const { v, effect, origin, by, reason } = fields;
  if (!KINDS.has(kind) || v !== VERSION || typeof effect !== 'string' || !EFFECTS.has(effect))
    return undefined;
  return {
    kind: kind as HoldKind,
    subject: decodeName(name.slice(colon + 1)),
    since: times.since,
    until: times.until,
    effect: effect as HeldRecord['effect'],
    origin: typeof origin === 'string' && ORIGINS.has(origin) ? (origin as HoldOrigin) : 'hand',
    by: typeof by === 'string' ? by : '',
    reason: typeof reason === 'string' ? reason : '',
  };
}
