import type { Message } from '../message.js';
import { inHeader, inTarget, type Words } from '../words.js';
import { readings } from './readings.js';
import { streamAlone, type Facts, type Server } from './server.js';

/** GET, the viewer's raw query behind the address; nothing else of his request but what the X- headers hold. */
function get(address: string, words: Words, headers: readonly (readonly [string, string])[]): Message {
  const query = inTarget(words.query);
  return {
    method: 'GET',
    target: query === '' ? address : `${address}?${query}`,
    headers: [['Host', 'usher'], ...headers],
    body: '',
  };
}

/** Source: help.cesbo.com, HTTP Auth: Backend. */
export const astra: Server = {
  name: 'astra',
  dialect: 'astra',
  settings: {},
  action: 'play',
  sessions: 'named',
  asks: ({ ip, stream, session }, words, address) =>
    get(address, words, [
      ['X-Session-ID', session],
      ['X-Channel-ID', stream],
      ['X-Real-IP', ip],
      ['X-Real-Path', inTarget(words.path)],
      ['X-Real-UA', inHeader(words.userAgent)],
      ['X-Real-Host', inHeader(words.host)],
    ]),
  plays: streamAlone,
  shows: ({ query }) => [inTarget(query)],
};

/** Its channel is the first piece of the path. UNVERIFIED: how it reads one; any way that servers have is tried. */
const altaPath = ({ stream }: Facts, { path }: Words): string =>
  inTarget(path).replace(/^\/live\//, `/${stream}/`);

/** Source: help.cesbo.com, Alta. */
export const alta: Server = {
  ...astra,
  name: 'alta',
  dialect: 'alta',
  asks: (facts, words, address) =>
    get(address, words, [
      ['X-Session-Id', facts.session],
      ['X-Real-Ip', facts.ip],
      ['X-Real-Path', altaPath(facts, words)],
      ['X-Real-Ua', inHeader(words.userAgent)],
      ['X-Real-Origin', `https://${inHeader(words.host)}`],
    ]),
  plays: (facts, words) =>
    readings(altaPath(facts, words)).flatMap((path) => /^\/([^/]+)\/./.exec(path)?.[1] ?? []),
};
