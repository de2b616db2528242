/** All that a viewer has a say in, as bytes: what of it reaches us, and how, is the server's to do. */
export interface Words {
  /** Behind the `?` of the address that he plays. */
  readonly query: string;
  /** The address that he plays, where the server lets him spell it; `/` first. */
  readonly path: string;
  readonly userAgent: string;
  readonly referer: string;
  readonly host: string;
  readonly user: string;
  readonly password: string;
  /** A credential where the protocol has a place of its own for it. */
  readonly token: string;
  readonly cookie: string;
  /** Any others that he sends. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export const NO_WORDS: Words = {
  query: '',
  path: '/live/a001/index.m3u8',
  userAgent: '',
  referer: '',
  host: 'live.example.com',
  user: '',
  password: '',
  token: '',
  cookie: '',
  headers: [],
};

/** Another viewer's address, channel and session, which nobody is to get by saying so. */
export const FORGED = { ip: '203.0.113.66', channel: 'vip', session: 'forged-session' } as const;

const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** Names that some dialect reads. */
// prettier-ignore
export const FIELDS = [
  'ip', 'name', 'session_id', 'request_type', 'proto', 'token', 'qs', 'host', 'user_agent', 'referer',
  'action', 'path', 'id', 'query', 'protocol', 'userAgent', 'user', 'password',
  'client_id', 'vhost', 'app', 'stream', 'param', 'tcUrl', 'pageUrl',
  'addr', 'clientid', 'call', 'flashver', 'swfurl', 'tcurl', 'pageurl', 'start', 'duration', 'reset',
  'client', 'request', 'address', 'real_ip', 'direction', 'status', 'url', 'port',
  '__proto__', 'constructor', 'toString', 'hasOwnProperty',
];
// prettier-ignore
export const VALUES = [
  FORGED.ip, FORGED.channel, FORGED.session, '', '::1', '127.0.0.1', 'publish', 'on_publish', 'on_stop', 'play_done',
  'incoming', 'closing', 'null', '0', 'true',
];
/** What parts one thing from another in some notation, and what is read in more than one way. */
// prettier-ignore
export const MARKS = [
  '&', '=', '?', '#', ';', '+', ',', ':', '/', '//', '\\', '@', '"', "'", '{', '}', '[', ']', '<', '>', '|', '^', '`', '~', '!', '$', '*', '(', ')',
  ' ', '\t', '\r', '\n', '\r\n', '\r\n\r\n', '\0', '\u0001', '\u007f', '\u0080', '\u0085', '\u00a0', '\u00ff', '\u00c0\u00ae', '\u00ed\u00a0\u0080',
  '%', '%%', '%2', '%zz', '%u0026', '%00', '%0d%0a', '%0D%0AX-Real-IP:%20203.0.113.66', '%20', '%2B', '%26', '%3D', '%3d', '%3F', '%23', '%25', '%2526', '%252F', '%25252f',
  '%2f', '%2F', '%5c', '%2e', '%2e%2e', '..', '.', '../', '/../', '/./', '/%2e%2e/', '..%2f', '..;/', '/..;a=b/', '%c0%af', '%e0%80%af', '%ff%fe', '%ed%a0%80',
  '&amp;', '&#38;', '\\u0026', '\\x26', '\\"', '","ip":"203.0.113.66', '"}', '\\', '://', 'http://x/live/vip/', ':x@y/live/vip/', '_HLS_msn=1',
  utf8('\u2025/'), utf8('\uff0f'), utf8('\uff0e\uff0e\uff0f'), utf8('\uff06'), utf8('\uff1d'), utf8('\u037e'), utf8('v\u0456p'), utf8('\ufeff'), utf8('\u202e'), utf8('\u2028'), utf8('\ud83d\udcfa'),
];
// prettier-ignore
export const HEADER_NAMES = [
  'X-Session-ID', 'X-Channel-ID', 'X-Real-IP', 'x-real-ip', 'X-Real-Path', 'X-Real-UA', 'X-Real-Host', 'X-Real-Origin', 'X_Real_IP',
  'X-Original-URI', 'x-original-uri', 'X-Original-Method', 'X-Original-Host', 'X-Original-URL', 'X-Rewrite-URL',
  'X-Forwarded-For', 'X-Forwarded-Uri', 'X-Forwarded-Method', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'X-Forwarded-Prefix', 'Forwarded', 'Via',
  'X-Client-IP', 'True-Client-IP', 'CF-Connecting-IP', 'X-HTTP-Method-Override', 'X-OME-Signature', 'X-UserId', 'X-AuthDuration',
  'Authorization', 'Proxy-Authorization', 'Cookie', 'Referer', 'User-Agent', 'Origin', 'Range', 'Accept-Encoding', '__proto__', 'constructor', 'toString',
];
// prettier-ignore
export const HEADER_VALUES = [
  FORGED.ip, FORGED.channel, FORGED.session, `/live/${FORGED.channel}/index.m3u8`, 'OPTIONS', 'HEAD', 'POST',
  `${FORGED.ip}, 127.0.0.1`, `for=${FORGED.ip}`, 'Bearer good', 'Basic YTpi', 'sid=1; stream_token=t', '', 'x, y', 'unix:', '[::1]:80',
];

// oxlint-disable-next-line no-control-regex -- control characters are what must not pass
const NOT_IN_TARGET = /[\u0000-\u0020\u007f]/g;
// oxlint-disable-next-line no-control-regex -- as above
const NOT_IN_HEADER = /[\u0000-\u0008\u000a-\u001f\u007f]/g;

const ESCAPES = Array.from(
  { length: 256 },
  (_, code) => `%${code.toString(16).toUpperCase().padStart(2, '0')}`,
);
const escape = (byte: string): string => ESCAPES[byte.charCodeAt(0)]!;

/** Byte for byte, but for what every encoder leaves as it is. */
export const percentEncoded = (text: string): string => text.replace(/[^A-Za-z0-9._~-]/g, escape);

/** As far as a request line can hold it: no server takes more of a viewer by HTTP. */
export const inTarget = (text: string): string => text.replace(NOT_IN_TARGET, escape);

/** As far as a header can hold it. */
export const inHeader = (text: string): string =>
  text.replace(NOT_IN_HEADER, '').replace(/^[ \t]+|[ \t]+$/g, '');
