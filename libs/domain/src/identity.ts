import { hash } from 'node:crypto';
import type { Check } from './check.js';

const BASE32 = Buffer.from('abcdefghijklmnopqrstuvwxyz234567', 'latin1');
const ID_LENGTH = 26;
const written = Buffer.alloc(ID_LENGTH);

/** base32(sha256(parts; length-prefixed)), 26 characters: no two lists of parts share one text. */
export function digest(...parts: readonly string[]): string {
  let text = '';
  for (const part of parts) text += `${part.length}:${part}`;
  // At once, and as a string: a Hash and a Buffer of its own for each would take five times as long (measured).
  const bytes = hash('sha256', Buffer.from(text, 'latin1'), 'binary');
  let bits = 0;
  let value = 0;
  for (let i = 0, length = 0; length < ID_LENGTH; i += 1) {
    value = ((value << 8) | bytes.charCodeAt(i)) & 0xffff;
    bits += 8;
    while (bits >= 5 && length < ID_LENGTH) {
      bits -= 5;
      written[length] = BASE32[(value >> bits) & 31]!;
      length += 1;
    }
  }
  // Put together character by character it would be kept as its 26 parts, of ten times the size.
  return written.toString('latin1');
}

/** What the fingerprint is made of, known before the session id is. */
export type FingerprintParts = Pick<Check, 'query' | 'ip' | 'channel' | 'userAgent' | 'path' | 'dvr'> & {
  /** Where it is, of channels that have their names at several places. */
  readonly place?: string;
};

/**
 * What makes two checks the same question of the same viewer: credential, IP and channel, plus the user agent where
 * the edge gives no session id. Where the edge names no channel, its path stands in.
 */
export function fingerprintOf(parts: FingerprintParts, credential: string, sessionGiven: boolean): string {
  const channel = parts.channel === '' ? parts.path : parts.channel;
  const userAgent = sessionGiven ? '' : parts.userAgent;
  // Who may watch live may not watch what was recorded.
  if (parts.dvr === true) {
    return digest('fingerprint', credential, parts.ip, channel, userAgent, parts.place ?? '', 'dvr');
  }
  return parts.place === undefined
    ? digest('fingerprint', credential, parts.ip, channel, userAgent)
    : digest('fingerprint', credential, parts.ip, channel, userAgent, parts.place);
}

/** A missing session id: derived from dialect, edge and fingerprint. Never refused. */
export function derivedSessionId(dialect: string, edge: string, fingerprint: string): string {
  return digest(dialect, edge, fingerprint);
}

/**
 * Who this probably is when the credential is new: a configured device parameter, else the IP (IPv6: its /64) and the
 * user agent. It may bring back what a backend granted; it never overrides a denial.
 */
export function viewerKeyOf(parts: Pick<Check, 'ip' | 'userAgent'>, device: string | undefined): string {
  return device === undefined || device === ''
    ? digest('viewer', networkOf(parts.ip), parts.userAgent)
    : digest('device', device);
}

/** A credential as holds name it: never itself. */
export function credentialKeyOf(credential: string): string {
  return digest('credential', credential);
}

/** An IPv4 address as it is; an IPv6 address's /64; an IPv4-mapped one as IPv4; anything else as it is. */
export function networkOf(ip: string): string {
  const address = ip.startsWith('::ffff:') && ip.includes('.') ? ip.slice(7) : ip;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array<string>(gap).fill('0'), ...back].slice(0, 4);
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`;
}

/** The value of a query parameter, undecoded, or undefined: of several the first one counts. */
export function queryParameter(query: string, name: string): string | undefined {
  let start = 0;
  while (start <= query.length) {
    let end = query.indexOf('&', start);
    if (end === -1) end = query.length;
    const equals = query.indexOf('=', start);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    if (nameEnd - start === name.length && query.startsWith(name, start)) {
      return nameEnd === end ? '' : query.slice(nameEnd + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}
