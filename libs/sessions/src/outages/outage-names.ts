import type { Session } from '#usher/domain';
import { encodeName } from '#usher/redis';
import { memberOf } from '../registry/session-names.js';
import type { Column } from './outage-line.js';

/** Characters of a fingerprint that tell two viewers under one session id apart. */
const SHORT = 8;
const LETTERS: Readonly<Record<Column, string>> = { carried: 'c', known: 'k', onTrust: 't' };

/** An outage's name: its backend, and its tail: `<start>`, or `us-<start>` where the fault is ours. */
export interface OutageName {
  readonly backend: string;
  readonly tail: string;
}

/** Parts backend and tail: no backend's name holds it, and no address wants it encoded. */
const PARTER = '~';

export function outageId({ backend, tail }: OutageName): string {
  return `${backend}${PARTER}${tail}`;
}

/** Undefined for what is no outage's id. */
export function readOutageId(id: string): OutageName | undefined {
  const [, backend, tail] = /^([A-Za-z0-9._@-]{1,64})~((?:us-)?\d{1,16})$/.exec(id) ?? [];
  return backend === undefined || tail === undefined ? undefined : { backend, tail };
}

/** Sorted set: the backends that have outages, in a slot of its own. */
export function outageBackendsKey(): string {
  return 'usher:outages';
}

/** Sorted set: a backend's outages by their start. One slot for each backend: one script can write all about it. */
export function outagesKey(backend: string): string {
  return `usher:outage:{${encodeName(backend)}}`;
}

/** Hash: the outages that last, by whose fault it is, and those that are over and not settled, by their tail. */
export function openOutagesKey(backend: string): string {
  return `${outagesKey(backend)}:open`;
}

/** The keys of one outage: record, lines, nodes, checks. */
export function outageKeys({ backend, tail }: OutageName): [string, string, string, string] {
  const record = `${outagesKey(backend)}:${tail}`;
  return [record, `${record}:lines`, `${record}:nodes`, `${record}:checks`];
}

/** A line's field in the hash of lines: in which column, and who. Two viewers under one session id are two lines. */
export function lineField(
  column: Column,
  session: Pick<Session, 'edge' | 'sessionId' | 'fingerprint'>,
): string {
  return `${LETTERS[column]}|${sessionMark(memberOf(session), session.fingerprint)}`;
}

/** What names a session in a line's field, and is made of an event of the registry too. */
export function sessionMark(member: string, fingerprint: string): string {
  return `${member}|${fingerprint.slice(0, SHORT)}`;
}

/** The session's mark in a line's field. */
export function markOf(field: string): string {
  return field.slice(field.indexOf('|') + 1);
}

/** The column of a line's field; undefined for what is none. */
export function columnOf(field: string): Column | undefined {
  const letter = field.slice(0, field.indexOf('|'));
  return (Object.keys(LETTERS) as Column[]).find((column) => LETTERS[column] === letter);
}
