import { cut, stripControls } from '#usher/domain';
import type { Hold, HoldKind, HoldOrigin } from '#usher/domain';
import { decodeName, encodeName } from '#usher/redis';

/** Raised only for a change that version N-1 could not read. */
const VERSION = 1;
/** Characters of texts for people. */
const MAX_REASON = 256;
const MAX_BY = 64;

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
  const words = { by: clean(by, MAX_BY), reason: clean(reason, MAX_REASON) };
  return JSON.stringify({ v: VERSION, effect, origin, ...words });
}

const clean = (text: string, max: number): string => cut(stripControls(text), max);

/** Undefined for what is none of ours, or says nothing that this version knows how to keep. */
export function readHold(name: string, record: string): HeldRecord | undefined {
  const colon = name.indexOf(':');
  const kind = name.slice(0, colon);
  const parts = /^(\d+)\|(\d+)\|\d+\|(\{.*\})$/s.exec(record);
  if (parts === null || !KINDS.has(kind)) return undefined;
  const fields = parsed(parts[3]!);
  if (fields === undefined) return undefined;
  const { v, effect, origin, by, reason } = fields;
  if (v !== VERSION || typeof effect !== 'string' || !EFFECTS.has(effect)) return undefined;
  return {
    kind: kind as HoldKind,
    subject: decodeName(name.slice(colon + 1)),
    since: Number(parts[1]),
    until: Number(parts[2]),
    effect: effect as HeldRecord['effect'],
    origin: typeof origin === 'string' && ORIGINS.has(origin) ? (origin as HoldOrigin) : 'hand',
    by: typeof by === 'string' ? by : '',
    reason: typeof reason === 'string' ? reason : '',
  };
}

function parsed(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(json) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}
