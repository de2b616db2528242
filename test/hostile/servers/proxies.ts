import { headersOf, type Message } from '../message.js';
import { inHeader, inTarget, type Words } from '../words.js';
import { readings } from './readings.js';
import { shown, viewersHeaders, type Server } from './server.js';

type Headers = readonly (readonly [name: string, value: string])[];

const target = ({ path, query }: Words): string => inTarget(query === '' ? path : `${path}?${query}`);

/** What a proxy writes itself takes the place of what the viewer wrote under that name, however he spells it. */
function withOwn(viewers: Headers, own: Headers): Headers {
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  return [...viewers.filter(([name]) => !names.has(name.toLowerCase())), ...own];
}

const without = (headers: Headers, dropped: RegExp): Headers =>
  headers.filter(([name]) => !dropped.test(name));

/** What HTTP says about one connection only. */
const HOP_BY_HOP =
  /^(connection|proxy-connection|keep-alive|proxy-authenticate|proxy-authorization|te|trailer|transfer-encoding|upgrade|content-length)$/i;

const asked = (method: string, address: string, headers: Headers): Message => ({
  method,
  target: address,
  headers,
  body: '',
});

/** Low-latency HLS's own parameters are no words of the viewer's. */
const withoutHls = (query: string): string =>
  query
    .split('&')
    .filter((parameter) => !parameter.startsWith('_HLS_'))
    .join('&');

function shows(words: Words): readonly string[] {
  const [, query = ''] = /^[^?]*\?(.*)$/s.exec(target(words)) ?? [];
  const { authorization = '', cookie = '' } = headersOf(asked('GET', '/', viewersHeaders(words)));
  const [, inCookie = ''] = /(?:^|;) *stream_token=([^;]*)/.exec(cookie) ?? [];
  const [, bearer = ''] = /^bearer +([^ ]+) *$/i.exec(authorization) ?? [];
  return shown(withoutHls(query), inCookie.trim() || bearer, authorization);
}

const OF_ALL = {
  dialect: 'forward',
  action: 'play',
  sessions: 'none',
  plays: (_: unknown, words: Words) =>
    readings(target(words)).flatMap((path) => /^\/live\/([^/]+)\//.exec(path)?.[1] ?? []),
  shows,
} as const;

const settings = (proxy: string): object => ({
  forward: { proxy, paths: ['/live/{channel}/**'], tokenCookie: 'stream_token' },
});

/** Source: docs/dialects/forward.md; ngx_http_auth_request_module.c. Names with underscores are dropped by default. */
export const nginx: Server = {
  ...OF_ALL,
  name: 'nginx',
  settings: settings('nginx'),
  asks: ({ ip }, words, address) =>
    asked(
      'GET',
      address,
      withOwn(without(viewersHeaders(words), /_/), [
        ['Host', 'usher'],
        ['Connection', ''],
        ['Content-Length', ''],
        ['X-Original-URI', target(words)],
        ['X-Original-Method', 'GET'],
        ['X-Original-Host', inHeader(words.host)],
        ['X-Real-IP', ip],
      ]).filter(([, value]) => value !== ''),
    ),
};

/** Source: docs/dialects/forward.md; auth-request.lua: all headers but two, and what comes twice is one, with a comma. */
export const haproxy: Server = {
  ...OF_ALL,
  name: 'haproxy',
  settings: settings('haproxy'),
  asks: ({ ip }, words, address) => {
    const own = withOwn(viewersHeaders(words), [
      ['X-Original-URI', target(words)],
      ['X-Original-Method', 'GET'],
      ['X-Original-Host', inHeader(words.host)],
      ['X-Real-IP', ip],
    ]);
    const joined = new Map<string, string>();
    for (const [name, value] of without(own, /^(content-length|host)$/i)) {
      const key = name.toLowerCase();
      const before = joined.get(key);
      joined.set(key, before === undefined ? value : `${before}, ${value}`);
    }
    return asked('HEAD', address, [['host', 'usher'], ...joined]);
  },
  shows: (words) => {
    const message = haproxy.asks({ ip: '', app: '', stream: '', session: '' }, words, '/');
    return shows({ ...words, ...NO_LOGIN, headers: message.headers.filter(([name]) => READ.test(name)) });
  },
};
const NO_LOGIN = { userAgent: '', referer: '', cookie: '', token: '', user: '', password: '' };
const READ = /^(authorization|cookie)$/;

/** Source: pkg/middlewares/auth/forward.go, trustForwardHeader: false. */
export const traefik: Server = {
  ...OF_ALL,
  name: 'traefik',
  settings: settings('traefik'),
  asks: ({ ip }, words, address) =>
    asked(
      'GET',
      address,
      withOwn(without(without(viewersHeaders(words), HOP_BY_HOP), /^x-forwarded-/i), [
        ['Host', 'usher'],
        ['X-Forwarded-Method', 'GET'],
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Host', inHeader(words.host)],
        ['X-Forwarded-Uri', target(words)],
        ['X-Forwarded-For', ip],
      ]),
    ),
};

/** The same with trustForwardHeader unset: what it does not write itself passes. */
export const traefikUnset: Server = {
  ...traefik,
  name: 'traefik, trustForwardHeader unset',
  asks: (facts, words, address) => {
    const { headers } = traefik.asks(facts, words, address);
    const more = without(viewersHeaders(words), HOP_BY_HOP).filter(([name]) => /^x-forwarded-/i.test(name));
    return asked('GET', address, withOwn(more, headers));
  },
};

/** Source: forwardauth/caddyfile.go, reverseproxy.go; no trusted_proxies. */
export const caddy: Server = {
  ...OF_ALL,
  name: 'caddy',
  settings: settings('caddy'),
  asks: ({ ip }, words, address) =>
    asked(
      'GET',
      address,
      withOwn(without(viewersHeaders(words), HOP_BY_HOP), [
        ['Host', inHeader(words.host) || 'live.example.com'],
        ['X-Forwarded-Method', 'GET'],
        ['X-Forwarded-Uri', target(words)],
        ['X-Forwarded-For', ip],
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Host', inHeader(words.host)],
        ['Via', '1.1 Caddy'],
      ]),
    ),
};

/** What docs/dialects/forward.md has in allowed_headers, and what is always sent. */
const ALLOWED = /^(user-agent|cookie|referer|authorization)$/i;

/** Source: ext_authz_http_impl.cc; use_remote_address appends the peer to the viewer's own X-Forwarded-For. */
export const envoy: Server = {
  ...OF_ALL,
  name: 'envoy',
  settings: settings('envoy'),
  asks: ({ ip }, words, address) => {
    const viewers = viewersHeaders(words);
    const forged = viewers.filter(([name]) => /^x-forwarded-for$/i.test(name)).map(([, value]) => value);
    return asked('GET', address + target(words), [
      ['Host', inHeader(words.host) || 'live.example.com'],
      ['Content-Length', '0'],
      ['X-Forwarded-For', [...forged, ip].join(',')],
      ...viewers.filter(([name]) => ALLOWED.test(name)),
    ]);
  },
};
