import type { Check } from './check.js';
import { queryParameter } from './identity.js';

/** Whom an Xtream panel goes by. Byte strings, decoded. Both are secrets together. */
export interface PanelLogin {
  readonly user: string;
  readonly password: string;
}

/**
 * Where an Xtream panel's addresses hold the user (first group) and secrets (all further groups, the password first): the
 * rewrites of its web server, and the routes of iptv-proxy. A stream's id is a number there, perhaps with an ending. Some
 * edges write a path without the slash before it.
 */
export const LOGIN_PATHS: readonly RegExp[] = [
  /(?:^|\/)(?:live|movie|series)\/+([^/]+)\/+([^/]+)\/+\d+(?:\.\w+)?$/d,
  /(?:^|\/)timeshift\/+([^/]+)\/+([^/]+)\/+[^/]+\/+[^/]+\/+\d+(?:\.\w+)?$/d,
  // A segment, or its path as far as the channel; what stands before its name is a token.
  /(?:^|\/)hls\/+([^/]+)\/+([^/]+)\/+\d+(?:\/+([^/]+)\/+[^/]+)?$/d,
  // The short form; the words at its start belong to others, as HLS segments have them: /hls/a001/17.ts.
  /^\/*(?!(?:live|movie|series|timeshift|hls|play)\/)([^/]+)\/+([^/]+)\/+\d+(?:\.\w+)?$/d,
];

/** The same where the stream's id is no number. Other servers have such paths, too: /live/tv/a001/index.m3u8. */
export const LIKE_LOGIN_PATH = /(?:^|\/)(?:live|movie|series|timeshift)\/+([^/]+)\/+([^/]+)\/+[^/]/d;

/**
 * The login in the path, else in the query, else in a Basic authorization, else in what is only like such a path.
 * Undefined: there is none. The path may come with a query of its own, which is not looked at.
 */
export function panelLogin({ path, query, authorization = '' }: Shown): PanelLogin | undefined {
  const bare = withoutQuery(path);
  for (const form of LOGIN_PATHS) {
    const found = form.exec(bare);
    if (found !== null) return { user: unescaped(found[1]!), password: unescaped(found[2]!) };
  }
  const user = formValue(query, 'username');
  const password = formValue(query, 'password');
  if (user !== '' && password !== '') return { user, password };
  const [, basic] = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization) ?? [];
  const [, name = '', word = ''] =
    /^([^:]+):(.+)$/s.exec(Buffer.from(basic ?? '', 'base64').toString('latin1')) ?? [];
  if (name !== '') return { user: name, password: word };
  const found = LIKE_LOGIN_PATH.exec(bare);
  return found === null ? undefined : { user: unescaped(found[1]!), password: unescaped(found[2]!) };
}

type Shown = Pick<Check, 'path' | 'query' | 'authorization'>;

/** The path alone, of an edge that sends the query with it. */
export function withoutQuery(path: string): string {
  const mark = path.indexOf('?');
  return mark === -1 ? path : path.slice(0, mark);
}

/** Percent-decoded byte for byte; a % that begins no such byte stays. */
export function unescaped(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** As PHP reads it: a + is a space. */
function formValue(query: string, name: string): string {
  return unescaped((queryParameter(query, name) ?? '').replaceAll('+', ' '));
}
