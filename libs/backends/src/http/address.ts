/** Where a backend is asked: its origin, and path and query up to where the viewer's query goes. */
export interface Target {
  readonly origin: string;
  readonly pathname: string;
  readonly secure: boolean;
  /** `Authorization` of an address with user and password. */
  readonly authorization?: string;
  /** Path and query for this viewer; undefined where the query cannot be part of any request. */
  path(query: string): string | undefined;
}

// RFC 9112 3.2: a request target has no white space and no control characters; beyond ÿ it is no byte.
const SENDABLE = /^[\x21-\x7e\x80-\xff]*$/;

/** The address's own query is kept, the viewer's follows it byte for byte; a fragment is dropped. */
export function targetOf(url: URL): Target {
  const fixed = url.pathname + url.search;
  const glue = url.search === '' ? '?' : '&';
  return {
    origin: url.origin,
    pathname: url.pathname,
    secure: url.protocol === 'https:',
    authorization: authorizationOf(url),
    path: (query) => {
      if (!SENDABLE.test(query)) return undefined;
      return query === '' ? fixed : fixed + glue + query;
    },
  };
}

/** `base` with `script` behind it, unless its path is a whole script's address already. */
export function scriptAddress(base: URL, script: string, isScript: RegExp): URL {
  const url = new URL(base);
  if (!isScript.test(url.pathname)) url.pathname = url.pathname.replace(/\/+$/, '') + script;
  return url;
}

function authorizationOf(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  const pair = `${decoded(url.username)}:${decoded(url.password)}`;
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

/** Percent-decoded; as it is where a bare % stands in it. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
