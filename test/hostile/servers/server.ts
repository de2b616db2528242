import { queryParameter, unescaped, type DialectName } from '#usher/domain';
import type { Message } from '../message.js';
import { inHeader, inTarget, type Words } from '../words.js';

/** What a server knows by itself, whatever its viewer says. */
export interface Facts {
  readonly ip: string;
  readonly app: string;
  readonly stream: string;
  /** Digits: some servers know no other. */
  readonly session: string;
}

/** A streaming server or proxy: the bytes with which it asks, as protocols and sources have them. */
export interface Server {
  readonly name: string;
  readonly dialect: DialectName;
  /** Of `edges.<name>`, beside the dialect. */
  readonly settings: object;
  readonly action: 'play' | 'publish';
  /** named: by the server; made: by its dialect, of what the server tells; none: it has none of its own. */
  readonly sessions: 'named' | 'made' | 'none';
  /** @param address where it was told to ask */
  readonly asks: (facts: Facts, words: Words, address: string) => Message;
  /** The viewer has gone. */
  readonly ends?: (facts: Facts, words: Words, address: string) => Message;
  /** The channel that it plays; all of them, where that depends on how somebody reads the viewer's words. */
  readonly plays: (facts: Facts, words: Words) => readonly string[];
  /** What the viewer shows: two that differ here are two viewers. */
  readonly shows: (words: Words) => readonly string[];
}

export const streamAlone = ({ stream }: Facts): readonly string[] => [stream];
export const appAndStream = ({ app, stream }: Facts): readonly string[] => [`${app}/${stream}`];

/**
 * His credential is the token, both where the query has another; else all that he shows. Whoever shows the whole of another's
 * in another place is taken for him: he knows it.
 */
export function shown(query: string, token: string, authorization = ''): readonly string[] {
  if (token === '') return [query, authorization];
  const inQuery = unescaped(queryParameter(query, 'token') ?? '');
  return [token, inQuery === token ? '' : inQuery];
}

/** As it travels to a backend: what cannot stand in a request line is escaped, and a mark at its start is none of it. */
export const canonical = (query: string): string => inTarget(query.replace(/^\?/, ''));

/** POST of a body that its server wrote. */
export function posted(
  address: string,
  body: string,
  headers: readonly (readonly [string, string])[] = [],
): Message {
  return {
    method: 'POST',
    target: address,
    headers: [['Host', 'usher'], ...headers, ['Content-Length', String(body.length)]],
    body,
  };
}

export const JSON_TYPE = ['Content-Type', 'application/json'] as const;

/** The viewer's own headers, as his HTTP client may send them. */
export function viewersHeaders(words: Words): (readonly [string, string])[] {
  const { userAgent, referer, cookie, token, user, password, headers } = words;
  const login = Buffer.from(`${user}:${password}`, 'latin1').toString('base64');
  const authorization = token === '' ? (user === '' ? '' : `Basic ${login}`) : `Bearer ${token}`;
  const own: (readonly [string, string])[] = [
    ['User-Agent', userAgent],
    ['Referer', referer],
    ['Cookie', cookie],
    ['Authorization', authorization],
  ];
  return [...own.filter(([, value]) => value !== ''), ...headers].map(([name, value]) => [
    name,
    inHeader(value),
  ]);
}

/** Bytes as text; those that are no UTF-8 are lost, as in any server that writes JSON so. */
export const utf8Text = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');
/** Text as bytes. */
export const utf8Bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
