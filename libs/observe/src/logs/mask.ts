import { maskedPath } from '#usher/domain';

const MASK = '***';
const PARAMETER_NAME = /^[A-Za-z_][\w.[\]-]{0,23}$/;
const MAX_QUERY = 2048;

/**
 * A query string for people: the names of its parameters without their values, `token=***&mac=***`. A parameter
 * without `=`, or whose name does not look like one, may itself be the credential: it is masked whole.
 */
export function maskQuery(query: string): string {
  if (query === '') return '';
  const shown = query.slice(0, MAX_QUERY).split('&').map(maskParameter).join('&');
  return query.length > MAX_QUERY ? `${shown}…` : shown;
}

function maskParameter(parameter: string): string {
  const equals = parameter.indexOf('=');
  if (equals === -1) return parameter === '' ? '' : MASK;
  const name = parameter.slice(0, equals);
  if (!PARAMETER_NAME.test(name)) return MASK;
  const value = parameter.slice(equals + 1);
  if (value === '') return `${name}=`;
  // Only padding after the name: it is the end of a base64 text, not a value.
  return /^=+$/.test(value) ? MASK : `${name}=${MASK}`;
}

const SECRET_WORDS =
  'token|pass|passwd|password|pwd|secret|auth|authorization|cookie|credential|api[-_]?key|hash|sig|signature';
const SECRET_PAIR = new RegExp(
  `(^|[^A-Za-z])((?:x-)?(?:${SECRET_WORDS}))("?\\s*[=:]\\s*"?)(?:(?:Bearer|Basic|Digest)\\s+)?([^\\s"'&,;]+)`,
  'gi',
);
const SCHEME_AND_SECRET = /\b(Bearer|Basic)\s+([A-Za-z0-9+/=._~-]{6,})/g;
const WORD = /[^\s"'<>]+/g;
/** Nothing is masked in a text without one of these: most are single words, paths, and names of players. */
const MAY_HOLD_SECRET =
  /[?&=:]|\/(?:e|live|movie|series|timeshift|hls)\/|\/play\/[^/]{32}|\/[^/\s]+\/\d+(?:\.\w+)?(?:[\s),;\]]|$)|\b(?:Bearer|Basic)\s/;
const EDGE_SECRET = /(\/e\/[^/?#]+\/)(?!(?:check|closed)(?:[/?#]|$))([^/?#]+)/;

/** Free text for people: user names, passwords, logins in paths and queries of addresses, and `token=…` pairs, are masked. */
export function maskText(text: string): string {
  if (!MAY_HOLD_SECRET.test(text)) return text;
  return text
    .replace(WORD, maskWord)
    .replace(SECRET_PAIR, `$1$2$3${MASK}`)
    .replace(SCHEME_AND_SECRET, `$1 ${MASK}`);
}

function maskWord(word: string): string {
  const address = maskLogin(maskUserInfo(word)).replace(EDGE_SECRET, `$1${MASK}`);
  const mark = address.indexOf('?');
  if (mark === -1) return isBareQuery(address) ? maskQuery(address) : address;
  const query = address.slice(mark + 1);
  return query === '' ? address : `${address.slice(0, mark + 1)}${maskQuery(query)}`;
}

/** The path of an address, or a word that is one, without a comma or the like behind it. */
function maskLogin(word: string): string {
  const scheme = word.indexOf('://');
  const start = word.indexOf('/', scheme === -1 ? 0 : scheme + 3);
  if (start === -1) return word;
  const mark = word.indexOf('?', start);
  const path = word.slice(start, mark === -1 ? word.length : mark).replace(/[),.;:\]]+$/, '');
  return word.slice(0, start) + maskedPath(path) + word.slice(start + path.length);
}

function isBareQuery(word: string): boolean {
  return word.includes('&') && word.includes('=') && !word.includes('://');
}

/** `redis://:password@host` becomes `redis://***@host`; where the password itself holds a `/`, more is masked. */
function maskUserInfo(word: string): string {
  const scheme = word.indexOf('://');
  if (scheme === -1) return word;
  const start = scheme + 3;
  const slash = word.indexOf('/', start);
  const authority = word.slice(start, slash === -1 ? word.length : slash);
  const isPlainHost = !authority.includes('@') && !/:(?!\d+$)/.test(authority.replace(/^\[[^\]]*\]/, ''));
  if (isPlainHost) return word;
  const at = authority.includes('@') ? start + authority.lastIndexOf('@') : word.lastIndexOf('@');
  return at < start ? word : `${word.slice(0, start)}${MASK}${word.slice(at)}`;
}
