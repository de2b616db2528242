import type { Words } from '../words.js';
import {
  appAndStream,
  canonical,
  JSON_TYPE,
  posted,
  utf8Bytes,
  utf8Text,
  type Facts,
  type Server,
} from './server.js';

/** SRS escapes what JSON wants escaped, and no more: bytes that are no UTF-8 go out as they came. */
// oxlint-disable-next-line no-control-regex -- control characters are what is escaped
const ESCAPED = /["\\\u0000-\u001f]/g;
const escaped = (bytes: string): string =>
  bytes.replace(ESCAPED, (byte) => `\\u${byte.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Its fields in their order. */
function hook(action: string, facts: Facts, words: Words, quoted: (bytes: string) => string): string {
  const { ip, app, stream, session } = facts;
  const fields: readonly (readonly [string, string])[] = [
    ['server_id', 'vid-0xk989d'],
    ['service_id', '382a'],
    ['action', action],
    ['client_id', session],
    ['ip', ip],
    ['vhost', '__defaultVhost__'],
    ['app', app],
    ['stream', stream],
    ['tcUrl', quoted(`rtmp://${words.host}/${app}`)],
    ['param', quoted(words.query === '' ? '' : `?${words.query}`)],
    ['pageUrl', quoted(words.referer)],
    ['stream_url', `/${app}/${stream}`],
    ['stream_id', 'vid-124q9y3'],
  ];
  return `{${fields.map(([name, value]) => `"${name}":"${value}"`).join(',')}}`;
}

/** Source: trunk/src/app/srs_app_http_hooks.cpp. */
export const srs: Server = {
  name: 'srs',
  dialect: 'srs',
  settings: {},
  action: 'play',
  sessions: 'named',
  asks: (facts, words, address) => posted(address, hook('on_play', facts, words, escaped), [JSON_TYPE]),
  ends: (facts, words, address) => posted(address, hook('on_stop', facts, words, escaped), [JSON_TYPE]),
  plays: appAndStream,
  shows: ({ query }) => [canonical(utf8Bytes(utf8Text(query === '' ? '' : `?${query}`)))],
};

export const srsPublishing: Server = {
  ...srs,
  name: 'srs, publishing',
  action: 'publish',
  asks: (facts, words, address) => posted(address, hook('on_publish', facts, words, escaped), [JSON_TYPE]),
};

const asItIs = (bytes: string): string => bytes;

/** It escaped nothing then (ossrs/srs, pull 1758): what viewers say may be JSON of their own. */
export const srsBefore2021: Server = {
  ...srs,
  name: 'srs, before 2021',
  asks: (facts, words, address) => posted(address, hook('on_play', facts, words, asItIs), [JSON_TYPE]),
  ends: (facts, words, address) => posted(address, hook('on_stop', facts, words, asItIs), [JSON_TYPE]),
  // What he writes may be read as something else; it is his own words all the same.
  shows: ({ query }) => [readBack(query === '' ? '' : `?${query}`)],
};

function readBack(bytes: string): string {
  try {
    const { param } = JSON.parse(utf8Text(`{"param":"${bytes}"}`)) as { param: string };
    return canonical(utf8Bytes(param));
  } catch {
    return bytes;
  }
}
