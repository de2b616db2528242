import { cut, stripControls } from '#usher/domain';

/** Characters of texts for people. */
const MAX_REASON = 256;
const MAX_BY = 64;

/** Set by somebody until a time; one that was lifted says so until then. Instants are cluster time, ms. */
export interface TimedRecord {
  readonly since: number;
  readonly until: number;
}

/** What stands in a record's JSON. */
export type TimedFields = Readonly<Record<string, unknown>>;

/** One kind of records: what its table is called, and how its records are named and written. */
export interface TimedKind<R extends TimedRecord> {
  /** Its keys are `usher:{<table>}` and two beside it. */
  readonly table: string;
  /** So many there may be: every process remembers all of them. */
  readonly most: number;
  readonly nameOf: (record: R) => string;
  /** Of one that was lifted it holds `"effect":"lifted"`: the script reads that. */
  readonly jsonOf: (record: R) => string;
  /** Undefined for what is none of ours, or says nothing that this version knows how to keep. */
  readonly read: (name: string, times: TimedRecord, fields: TimedFields) => R | undefined;
}

/** Who set it and why, bounded and without control characters. */
export function wordsOf({ by, reason }: { readonly by: string; readonly reason: string }) {
  return { by: cut(stripControls(by), MAX_BY), reason: cut(stripControls(reason), MAX_REASON) };
}

/** A record as it stands in Redis: <since>|<until>|<how often doubled>|<JSON>. */
export function readTimed<R extends TimedRecord>(
  kind: TimedKind<R>,
  name: string,
  record: string,
): R | undefined {
  const parts = /^(\d+)\|(\d+)\|\d+\|(\{.*\})$/s.exec(record);
  const fields = parts === null ? undefined : parsed(parts[3]!);
  if (parts === null || fields === undefined) return undefined;
  return kind.read(name, { since: Number(parts[1]), until: Number(parts[2]) }, fields);
}

function parsed(json: string): TimedFields | undefined {
  try {
    return JSON.parse(json) as TimedFields;
  } catch {
    return undefined;
  }
}
