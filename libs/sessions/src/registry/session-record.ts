import { cut, readable } from '#usher/domain';
import type { Presence, Session, SessionName, SessionState, Source } from '#usher/domain';
import { decodeName, encodeName } from '#usher/redis';
import { plainAddress } from '../plain-address.js';
import { MAX_VALUE, boundName, boundUser } from './session-names.js';

/** Of what this code writes. Version N speaks N-1; fields that it does not know stay as they are. */
export const RECORD_VERSION = 1;

/** Characters of one text in an event. */
const MAX_EVENT_TEXT = 1024;

const STATES: ReadonlySet<string> = new Set<SessionState>(['active', 'on-trust', 'unconfirmed', 'revoked']);
const PRESENCES: ReadonlySet<string> = new Set<Presence>(['seen', 'listed', 'assumed']);

/**
 * A session as the fields and values of its hash. Channel and user stand encoded, as they stand in keys; the rest is
 * text for people: what is longer than 64 bytes is cut (it is whole in the event). What is empty is not stored, nor a
 * name that is the user, nor an authorized-until that is "as long as it lives"; the edge stands in the key. The address
 * stands in its one form, so that it is found however it is written.
 */
export function recordFields(session: Session): (string | number)[] {
  return [
    'version',
    RECORD_VERSION,
    'user',
    session.user === '' ? '' : userValue(session.namespace, session.user),
    'name',
    session.sessionName === session.user ? '' : textValue(session.sessionName),
    'channel',
    encodeName(boundName(session.channel)),
    'ip',
    textValue(plainAddress(session.ip)),
    'ua',
    textValue(session.userAgent),
    'host',
    textValue(session.host),
    'path',
    textValue(session.path),
    'protocol',
    textValue(session.protocol ?? ''),
    'dialect',
    session.dialect,
    'backend',
    session.backend,
    'state',
    session.state,
    'source',
    session.source,
    'presence',
    session.presence,
    'openedAt',
    instant(session.openedAt),
    'authorizedUntil',
    session.authorizedUntil === 0 ? '' : instant(session.authorizedUntil),
    'fingerprint',
    session.fingerprint,
    'viewerKey',
    session.viewerKey,
  ];
}

/** `namespace/user`, both encoded. */
export function userValue(namespace: string, user: string): string {
  return `${encodeName(namespace)}/${encodeName(boundUser(namespace, user))}`;
}

/**
 * The session in what a script read: alive-until, field, value, … Undefined where something is missing or unknown
 * without which it is no session that we may answer from (another version's state, someone else's hash).
 */
export function readRecord(name: SessionName, reply: unknown): Session | undefined {
  if (!Array.isArray(reply)) return undefined;
  const values = new Map<string, string>();
  for (let i = 1; i + 1 < reply.length; i += 2) values.set(String(reply[i]), String(reply[i + 1]));
  const fingerprint = values.get('fingerprint') ?? '';
  const state = values.get('state') ?? '';
  const presence = values.get('presence') ?? '';
  const openedAt = Number(values.get('openedAt') ?? Number.NaN);
  const authorizedUntil = Number(values.get('authorizedUntil') ?? 0);
  const aliveUntil = Number(reply[0]);
  if (fingerprint === '' || !isState(state) || !isPresence(presence)) return undefined;
  if (![openedAt, authorizedUntil, aliveUntil].every(Number.isFinite)) return undefined;
  const backend = values.get('backend') ?? '';
  const text = (field: string): string => bytesOf(values.get(field) ?? '');
  const { namespace, user } = readUser(values.get('user') ?? '', backend);
  return {
    edge: name.edge,
    sessionId: name.sessionId,
    namespace,
    user,
    fingerprint,
    viewerKey: values.get('viewerKey') ?? '',
    channel: decodeName(values.get('channel') ?? ''),
    ip: text('ip'),
    userAgent: text('ua'),
    host: text('host'),
    path: text('path'),
    ...(values.has('protocol') ? { protocol: text('protocol') } : {}),
    dialect: values.get('dialect') ?? '',
    backend,
    sessionName: values.has('name') ? text('name') : user,
    state,
    // Only shown: a rung that another version has may be named here.
    source: (values.get('source') ?? 'session') as Source,
    presence,
    openedAt,
    authorizedUntil,
    aliveUntil,
  };
}

/** When the session in such a reply was revoked (cluster time, ms); undefined where it was not. */
export function revokedAtIn(reply: readonly string[]): number | undefined {
  for (let i = 1; i + 1 < reply.length; i += 2) {
    if (reply[i] === 'revokedAt') return Number(reply[i + 1]);
  }
  return undefined;
}

function readUser(value: string, backend: string): { namespace: string; user: string } {
  const slash = value.indexOf('/');
  if (slash === -1) return { namespace: backend, user: '' };
  return { namespace: decodeName(value.slice(0, slash)), user: decodeName(value.slice(slash + 1)) };
}

function isState(text: string): text is SessionState {
  return STATES.has(text);
}

function isPresence(text: string): text is Presence {
  return PRESENCES.has(text);
}

/** Whole milliseconds. */
function instant(ms: number): number {
  return Math.round(ms);
}

/** Legible, without control characters, and at most 64 bytes of UTF-8. */
function textValue(bytes: string): string {
  const text = readable(bytes);
  const encoded = Buffer.from(text, 'utf8');
  if (encoded.length <= MAX_VALUE) return text;
  // A character that the cut went through becomes U+FFFD, which is left out.
  return encoded
    .subarray(0, MAX_VALUE)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
}

/** What an event holds whole: legible, and bounded all the same. */
export function wholeText(bytes: string): string {
  return cut(readable(bytes), MAX_EVENT_TEXT);
}

/** Text as the byte string that it was made from. */
function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
