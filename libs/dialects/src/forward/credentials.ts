import { queryParameter } from '#usher/domain';
import type { ForwardConfig } from '#usher/config';
import type { EdgeRequest } from '../dialect.js';

/** What a viewer showed, wherever. Secrets. */
export interface Shown {
  /** What of the query counts. */
  readonly query: string;
  readonly authorization: string;
  /** Out of a cookie. */
  readonly token: string;
  /** What tells him from others, but gives no right. */
  readonly cookie: string;
}

/** LL-HLS players put these into each request for a playlist (RFC 8216bis, 6.2.5: names with this start are reserved). */
const OF_HLS = '_HLS_';

/** Reads what an edge's viewers show. No regular expressions: it is done for every segment. */
export class Credentials {
  constructor(private readonly config: Pick<ForwardConfig, 'parameters' | 'cookie' | 'tokenCookie'>) {}

  of(query: string, headers: EdgeRequest['headers']): Shown {
    const { cookie, tokenCookie } = this.config;
    const { cookie: cookies, authorization } = headers;
    const crumbs = typeof cookies === 'string' ? cookies : '';
    return {
      query: this.counting(query),
      authorization: typeof authorization === 'string' ? authorization : '',
      token: tokenCookie === undefined ? '' : cookieValue(crumbs, tokenCookie),
      cookie: cookie === undefined ? '' : cookieValue(crumbs, cookie),
    };
  }

  private counting(query: string): string {
    const { parameters } = this.config;
    if (query === '') return '';
    if (parameters.length > 0) {
      let kept = '';
      for (const name of parameters) {
        const value = queryParameter(query, name);
        if (value !== undefined && value !== '') kept += `${kept === '' ? '' : '&'}${name}=${value}`;
      }
      return kept;
    }
    return query.includes(OF_HLS) ? withoutHls(query) : query;
  }
}

export const isShown = ({ query, authorization, token }: Shown): boolean =>
  query !== '' || authorization !== '' || token !== '';

function withoutHls(query: string): string {
  return query
    .split('&')
    .filter((parameter) => !parameter.startsWith(OF_HLS))
    .join('&');
}

/** The first cookie of that name; empty where there is none. */
export function cookieValue(cookies: string, name: string): string {
  let at = 0;
  while (at < cookies.length) {
    while (cookies[at] === ' ' || cookies[at] === ';') at += 1;
    let end = cookies.indexOf(';', at);
    if (end === -1) end = cookies.length;
    if (cookies.startsWith(name, at) && cookies[at + name.length] === '=' && at + name.length < end) {
      return cookies.slice(at + name.length + 1, end).trim();
    }
    at = end;
  }
  return '';
}
