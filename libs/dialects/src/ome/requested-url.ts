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

const URL = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)(\/[^?#]*)(?:\?([^#]*))?/;

/** Its parts, as they stand there: nothing is decoded. @throws BadRequest */
export function requestedUrl(text: string): RequestedUrl {
  const [, authority = '', path = '', query = ''] = URL.exec(text) ?? [];
  const [, app = '', stream = ''] = path.split('/');
  if (app === '' || stream === '') throw new BadRequest('url names no application and stream');
  return { host: hostOf(authority), app, stream, path, query };
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
