import { createHmac } from 'node:crypto';
import { inHeader, inTarget, type Words } from '../words.js';
import { canonical, JSON_TYPE, posted, utf8Bytes, utf8Text, type Facts, type Server } from './server.js';

const SECRET = '1234';

interface Url {
  readonly base: string;
  readonly path: string;
  readonly query: string;
}

/**
 * How it takes a url apart (src/projects/base/ovlibrary/url.cpp): greedily, so that the scheme ends at the last `://`, and a
 * password at the last `@`.
 */
const OWN_URL =
  /(?<scheme>.*):\/\/((?<id>.+):(?<password>.+)@)?(?<host>\[[a-zA-Z0-9:]+\]|[^:/?]+)(:(?<port>[0-9]+))?(?<path>\/[^?]*)?(\?(?<query>[^?]+)?(.+)?)?/;

/** What it plays is read out of this url, which it then tells put together again. */
function urlOf(words: Words): Url | undefined {
  if (!URLS.has(words)) URLS.set(words, readUrl(words));
  return URLS.get(words);
}
/** It takes its time, and is wanted more than once. */
const URLS = new WeakMap<Words, Url | undefined>();

function readUrl(words: Words): Url | undefined {
  const host = inHeader(words.host) || 'live.example.com';
  const asked = `https://${host}${inTarget(words.path)}${words.query === '' ? '' : `?${inTarget(words.query)}`}`;
  const parts = OWN_URL.exec(asked)?.groups;
  if (parts === undefined) return undefined;
  const { scheme = '', id, password, host: at = '', port, path = '', query = '' } = parts;
  const login = id === undefined ? '' : `${id}:${password}@`;
  return { base: `${scheme}://${login}${at}${port === undefined ? '' : `:${port}`}`, path, query };
}

function webhook(facts: Facts, words: Words, address: string, direction: string, status: string) {
  const url = urlOf(words);
  const body = utf8Bytes(
    JSON.stringify({
      client: {
        address: facts.ip,
        port: 29_291,
        ...(words.token !== '' && { real_ip: utf8Text(words.token) }),
        user_agent: utf8Text(inHeader(words.userAgent)),
      },
      request: {
        direction,
        protocol: 'llhls',
        status,
        url: url && utf8Text(url.base + url.path + (url.query === '' ? '' : `?${url.query}`)),
        time: '2021-05-12T13:45:00.000Z',
      },
    }),
  );
  const signature = createHmac('sha1', SECRET).update(body, 'latin1').digest('base64url');
  return posted(address, body, [JSON_TYPE, ['X-OME-Signature', signature]]);
}

/** Source: src/projects/modules/access_control, and its documentation. */
export const ome: Server = {
  name: 'ome',
  dialect: 'ome',
  settings: { ome: { secret: SECRET } },
  action: 'play',
  sessions: 'made',
  asks: (facts, words, address) => webhook(facts, words, address, 'outgoing', 'opening'),
  ends: (facts, words, address) => webhook(facts, words, address, 'outgoing', 'closing'),
  plays: (_, words) => {
    const [, app = '', stream = ''] = (urlOf(words)?.path ?? '').split('/');
    return [utf8Bytes(utf8Text(`${app}/${stream}`))];
  },
  shows: (words) => [canonical(`?${utf8Bytes(utf8Text(urlOf(words)?.query ?? ''))}`)],
};
