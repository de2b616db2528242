import type { Words } from '../words.js';
import {
  canonical,
  JSON_TYPE,
  posted,
  shown,
  utf8Bytes,
  utf8Text,
  type Facts,
  type Server,
} from './server.js';

/** Go's encoding/json escapes these too. */
const IN_GO = /[<>&\u2028\u2029]/g;
const unicode = (text: string): string => `\\u${text.charCodeAt(0).toString(16).padStart(4, '0')}`;
const goJson = (value: unknown): string => utf8Bytes(JSON.stringify(value).replace(IN_GO, unicode));

/** Basic's user ends at the first colon; without a token the password stands for one. */
function login({ token, user, password }: Words): { token: string; user: string; password: string } {
  if (token !== '') return { token, user: '', password: '' };
  const [name = '', ...more] = `${user}:${password}`.split(':');
  const word = more.join(':');
  return { token: word, user: name, password: word };
}

const question = (action: string, { ip, app, stream, session }: Facts, words: Words): string => {
  const { token, user, password } = login(words);
  return goJson({
    ip,
    user: utf8Text(user),
    password: utf8Text(password),
    token: utf8Text(token),
    action,
    path: `${app}/${stream}`,
    protocol: 'hls',
    id: session,
    query: utf8Text(words.query),
    userAgent: utf8Text(words.userAgent),
  });
};

/** Source: internal/auth/manager.go. */
export const mediamtx: Server = {
  name: 'mediamtx',
  dialect: 'mediamtx',
  settings: {},
  action: 'play',
  sessions: 'named',
  asks: (facts, words, address) => posted(address, question('read', facts, words), [JSON_TYPE]),
  plays: ({ app, stream }) => [`${app}/${stream}`],
  shows: (words) => {
    const [query, token, user, password] = [words.query, ...Object.values(login(words))].map((bytes) =>
      utf8Bytes(utf8Text(bytes)),
    ) as [string, string, string, string];
    return user === '' ? shown(canonical(query), token) : [canonical(query), user, password];
  },
};

export const mediamtxPublishing: Server = {
  ...mediamtx,
  name: 'mediamtx, publishing',
  action: 'publish',
  asks: (facts, words, address) => posted(address, question('publish', facts, words), [JSON_TYPE]),
};
