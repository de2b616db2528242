import { BadRequest } from '../dialect.js';

/** What a player asked for: `scheme://host[:port]/app/stream[/file][?query]`. */
export interface RequestedUrl {
  readonly host: string;
  readonly app: string;
  readonly stream: string;
  /** `/` first, without the query. */
  readonly path: string;
  readonly query: string;
}

const SCHEME_END = '://';
const URL = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?]*)(\/[^?]*)(?:\?(.*))?$/s;

/** Its parts, as they stand there: nothing is decoded. @throws BadRequest */
export function requestedUrl(text: string): RequestedUrl {
  const [, authority = '', path = '', query = ''] = URL.exec(text) ?? [];
  if (isElsewhere(text, authority)) throw new BadRequest('url may be read in two ways');
  const [, app = '', stream = ''] = path.split('/');
  if (app === '' || stream === '') throw new BadRequest('url names no application and stream');
  return { host: hostOf(authority), app, stream, path, query };
}

/**
 * OvenMediaEngine ends the scheme at the last `://` of all, and a password at the last `@` (url.cpp): with one of them in his
 * path or query a player would be asked about as for one stream, and play another.
 */
function isElsewhere(text: string, authority: string): boolean {
  const start = text.indexOf(SCHEME_END) + SCHEME_END.length;
  if (text.includes(SCHEME_END, start)) return true;
  const at = text.lastIndexOf('@');
  return at >= start + authority.length && text.slice(start, at).includes(':');
}

/** The stream that a path names: what is behind application and stream is a file of it. */
export function streamOfPath(path: string): string {
  return path.replace(/^\/+/, '').split('/', 2).join('/');
}

/** Without user, password and port. */
function hostOf(authority: string): string {
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  return host.replace(/:\d*$/, '');
}
