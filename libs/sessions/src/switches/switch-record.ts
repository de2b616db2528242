import type { Switch, SwitchKind, SwitchMode } from '#usher/domain';
import { decodeName, encodeName } from '#usher/redis';
import { wordsOf, type TimedFields, type TimedKind, type TimedRecord } from '../timed/timed-record.js';

/** Raised only for a change that version N-1 could not read. */
const VERSION = 1;
/** There are fewer backends and routes in any configuration. */
const MOST = 1_000;

/** No date is later, ms. */
const LAST_DATE = 8.64e15;

const KINDS: ReadonlySet<string> = new Set<SwitchKind>(['backend', 'route']);
const EFFECTS: ReadonlySet<string> = new Set<SwitchRecord['effect']>([
  'maintenance',
  'open',
  'stale',
  'closed',
  'lifted',
]);

/** A switch, or what is left of one that was lifted: it says so until its time is up. */
export interface SwitchRecord extends Omit<Switch, 'mode'> {
  readonly effect: SwitchMode | 'lifted';
}

/** A switch's name in Redis: `<kind>:<backend or route>`. */
export function switchName(kind: SwitchKind, name: string): string {
  return `${kind}:${encodeName(name)}`;
}

/** The JSON part of a record, its texts bounded and without control characters. */
export function switchJson({ effect, by, reason }: Pick<SwitchRecord, 'effect' | 'by' | 'reason'>): string {
  return JSON.stringify({ v: VERSION, effect, ...wordsOf({ by, reason }) });
}

/** The switch that a record is; undefined for one that was lifted. */
export function switchOf({ effect, ...rest }: SwitchRecord): Switch | undefined {
  return effect === 'lifted' ? undefined : { ...rest, mode: effect };
}

/** The table of switches: `usher:{switches}`. */
export const SWITCHES: TimedKind<SwitchRecord> = {
  table: 'switches',
  most: MOST,
  nameOf: ({ kind, name }) => switchName(kind, name),
  jsonOf: switchJson,
  read: readSwitch,
};

function readSwitch(
  name: string,
  { since, until }: TimedRecord,
  fields: TimedFields,
): SwitchRecord | undefined {
  const colon = name.indexOf(':');
  const kind = name.slice(0, colon);
  const { v, effect, by, reason } = fields;
  if (!KINDS.has(kind) || v !== VERSION || until > LAST_DATE) return undefined;
  if (typeof effect !== 'string' || !EFFECTS.has(effect)) return undefined;
  return {
    kind: kind as SwitchKind,
    name: decodeName(name.slice(colon + 1)),
    since,
    until,
    effect: effect as SwitchRecord['effect'],
    by: typeof by === 'string' ? by : '',
    reason: typeof reason === 'string' ? reason : '',
  };
}
