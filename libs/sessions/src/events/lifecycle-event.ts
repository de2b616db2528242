import { readable } from '#usher/domain';
import { decodeName } from '#usher/redis';
import { nameOf } from '../registry/session-names.js';
import type { StreamEntry } from './event-reader.js';

/** What happened, for those outside: no token, no query, no fingerprint or viewer key in it. */
export interface LifecycleEvent {
  /** `<ms>-<sequence>-<shard>`, of one width: of two events of one shard the later one has the greater text. */
  readonly id: string;
  /** `session.opened`, `breaker.suspended` …; another version may have others. */
  readonly type: string;
  /** ISO 8601, by cluster time. */
  readonly time: string;
  /** The edge and the session's id at it, where the event is about a session. */
  readonly edge?: string;
  readonly session?: string;
  /** The id of the event that opened this session, where it is known: another session under that name has another. */
  readonly opening?: string;
  /** The rest, text for people and programs. */
  readonly facts: Readonly<Record<string, string>>;
}

/** Never sent, whatever its type. */
const SECRET = /fingerprint|viewerkey|device$|token|credential|query|secret|password/i;
/** Stand at the top of the event. */
const AT_TOP: ReadonlySet<string> = new Set(['type', 'at', 'session', 'edge', 'sessionId', 'opening']);
/** Instants, ms, told as ISO 8601. */
const INSTANTS: ReadonlySet<string> = new Set(['openedAt', 'until', 'since', 'downSince', 'authorizedUntil']);
/** 9999-12-31: what is later is no instant. */
const LAST_INSTANT = 253_402_300_799_999;

/** `07` and `1753000000123-4`: `1753000000123-000004-07`. */
export function eventId(shard: string, streamId: string): string {
  const [ms = '', sequence = ''] = streamId.split('-');
  return `${ms.padStart(13, '0')}-${sequence.padStart(6, '0')}-${shard}`;
}

/** An entry of a shard's stream as an event. `opening` is the stream id of the event that opened its session. */
export function lifecycleEvent(
  shard: string,
  { id, fields }: StreamEntry,
  opening: string | undefined,
): LifecycleEvent {
  const at = Number(fields.get('at') ?? Number.NaN);
  const member = fields.get('session');
  const name = member === undefined ? undefined : nameOf(member);
  const edge = name === undefined ? fields.get('edge') : readable(name.edge);
  const session = name === undefined ? fields.get('sessionId') : readable(name.sessionId);
  return {
    id: eventId(shard, id),
    type: fields.get('type') ?? 'unknown',
    time: isoOf(at) ?? new Date(Number(id.split('-')[0])).toISOString(),
    ...(edge === undefined ? {} : { edge }),
    ...(session === undefined ? {} : { session }),
    ...(opening === undefined ? {} : { opening: eventId(shard, opening) }),
    facts: Object.fromEntries(factsOf(fields, member !== undefined)),
  };
}

function* factsOf(fields: ReadonlyMap<string, string>, isOfScript: boolean): Generator<[string, string]> {
  for (const [name, value] of fields) {
    if (AT_TOP.has(name) || SECRET.test(name)) continue;
    if (INSTANTS.has(name)) yield [name, isoOf(Number(value)) ?? value];
    // Scripts tell names as they stand in keys.
    else if (isOfScript && name === 'user') yield* userOf(value);
    else if (isOfScript && name === 'channel') yield [name, readable(decodeName(value))];
    else if (name === 'subject') yield [name, shownSubject(fields.get('kind') ?? '', value)];
    else if (name === 'hold') yield [name, shownHold(value)];
    else yield [name, value];
  }
}

function* userOf(value: string): Generator<[string, string]> {
  const [namespace = '', user = ''] = value.split('/');
  yield ['namespace', readable(decodeName(namespace))];
  yield ['user', readable(decodeName(user))];
}

/** Who a hold is on; credentials and viewer keys only as what they are. */
function shownSubject(kind: string, subject: string): string {
  if (kind === 'credential' || kind === 'viewer') return '***';
  return kind === 'user-viewer' ? subject.replace(/\/[^/]*$/, '/***') : subject;
}

/** `<kind>:<subject>` */
function shownHold(hold: string): string {
  const colon = hold.indexOf(':');
  const kind = hold.slice(0, colon);
  return `${kind}:${shownSubject(kind, hold.slice(colon + 1))}`;
}

function isoOf(ms: number): string | undefined {
  return ms > 0 && ms <= LAST_INSTANT ? new Date(ms).toISOString() : undefined;
}
