import { configSchema } from '#usher/config';
import type { Decision } from '#usher/domain';
import fc from 'fast-check';
import type { Dialect, EdgeAnswer, EdgeFacts, EdgeRequest } from '../dialect.js';
import { DIALECTS } from '../registry.js';
import { cookieValue } from './credentials.js';
import type { ProxyName } from './proxies.js';

const spoken = (settings: object = {}): Dialect =>
  DIALECTS.forward.speak(configSchema.parse({ edges: { any: { forward: settings } } }).edges['any']!);

const request = (part: Partial<EdgeRequest>): EdgeRequest => ({
  method: 'GET',
  path: '',
  query: '',
  headers: {},
  body: Buffer.alloc(0),
  remoteAddress: '10.0.0.21',
  ...part,
});

/** A viewer who asks for a segment with a token, as each proxy tells of it. */
const TOLD: Readonly<Record<ProxyName, Partial<EdgeRequest>>> = {
  nginx: {
    headers: {
      'x-original-uri': '/live/sport/seg-1.ts?token=abc',
      'x-original-method': 'GET',
      'x-original-host': 'live.example.com',
      'x-real-ip': '192.0.2.7',
      'user-agent': 'VLC/3',
    },
  },
  haproxy: {
    method: 'HEAD',
    headers: {
      'x-original-uri': '/live/sport/seg-1.ts?token=abc',
      'x-original-method': 'GET',
      'x-original-host': 'live.example.com',
      'x-real-ip': '192.0.2.7',
      'user-agent': 'VLC/3',
    },
  },
  traefik: {
    headers: {
      'x-forwarded-method': 'GET',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'live.example.com',
      'x-forwarded-uri': '/live/sport/seg-1.ts?token=abc',
      'x-forwarded-for': '192.0.2.7',
      'user-agent': 'VLC/3',
    },
  },
  caddy: {
    headers: {
      host: 'live.example.com',
      'x-forwarded-method': 'GET',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'live.example.com',
      'x-forwarded-uri': '/live/sport/seg-1.ts?token=abc',
      'x-forwarded-for': '192.0.2.7',
      'user-agent': 'VLC/3',
      via: '2.0 Caddy',
    },
  },
  envoy: {
    path: '/live/sport/seg-1.ts',
    query: 'token=abc',
    headers: {
      host: 'live.example.com',
      'x-forwarded-for': '192.0.2.7',
      'user-agent': 'VLC/3',
      'content-length': '0',
    },
  },
};
const PROXIES = Object.keys(TOLD) as ProxyName[];

/** The nginx one with other headers; undefined takes one away. */
const asked = (headers: Record<string, string | undefined> = {}, proxy: ProxyName = 'nginx'): EdgeRequest =>
  request({ ...TOLD[proxy], headers: { ...TOLD[proxy].headers, ...headers } });

function factsOf(dialect: Dialect, given: EdgeRequest): EdgeFacts {
  const question = dialect.parse(given);
  if (question.kind !== 'check') throw new Error(`it is ${question.kind}: ${JSON.stringify(question)}`);
  return question.facts;
}

const complaintOf = (dialect: Dialect, given: EdgeRequest): [number, string] | undefined => {
  const question = dialect.parse(given);
  return question.kind === 'answered' && question.complaint !== undefined
    ? [question.answer.status, question.complaint]
    : undefined;
};

describe('a request for a segment', () => {
  it.each(PROXIES)('is read as %s tells of it', (proxy) => {
    expect(factsOf(spoken({ proxy }), request(TOLD[proxy]))).toEqual({
      givenSessionId: '',
      channel: 'sport',
      ip: '192.0.2.7',
      path: '/live/sport',
      place: '/live/sport',
      userAgent: 'VLC/3',
      host: 'live.example.com',
      origin: '',
      query: 'token=abc',
      referer: '',
      visit: { who: '192.0.2.7\nVLC/3', isShown: true },
    });
  });

  it.each(PROXIES)('of %s is not read by what other proxies would send', (proxy) => {
    const forged = {
      'x-original-uri': '/live/film/1.ts?token=forged',
      'x-original-method': 'OPTIONS',
      'x-real-ip': '198.51.100.1',
      'x-forwarded-uri': '/live/film/1.ts?token=forged',
      'x-forwarded-method': 'OPTIONS',
      'x-forwarded-for': '198.51.100.1',
    };
    const own = TOLD[proxy];
    const given = request({ ...own, headers: { ...forged, ...own.headers } });
    expect(factsOf(spoken({ proxy }), given)).toEqual(factsOf(spoken({ proxy }), request(own)));
  });

  const NEEDED: [ProxyName, string, number][] = [
    ['nginx', 'x-original-uri', 403],
    ['nginx', 'x-original-method', 403],
    ['nginx', 'x-real-ip', 403],
    ['haproxy', 'x-original-uri', 403],
    ['haproxy', 'x-original-method', 403],
    ['haproxy', 'x-real-ip', 403],
    ['traefik', 'x-forwarded-uri', 400],
    ['traefik', 'x-forwarded-method', 400],
    ['traefik', 'x-forwarded-for', 400],
    ['caddy', 'x-forwarded-uri', 400],
    ['envoy', 'x-forwarded-for', 400],
  ];
  it.each(NEEDED)('%s without %s gets %d and is told what to add', (proxy, header, status) => {
    const complaint = complaintOf(spoken({ proxy }), asked({ [header]: undefined }, proxy));
    expect(complaint?.[0]).toBe(status);
    expect(complaint?.[1].toLowerCase()).toContain(`${header} is missing`);
  });

  it.each([
    ['x-real-ip', 'unix:'],
    ['x-real-ip', '192.0.2.7, 192.0.2.8'],
    ['x-original-uri', '/live/film/1.ts, /live/sport/1.ts'],
    ['x-original-method', 'OPTIONS, GET'],
  ])('that came with %s: %s is nobody’s', (header, value) => {
    expect(complaintOf(spoken(), asked({ [header]: value }))?.[0]).toBe(403);
  });

  it('with something behind the address is Envoy’s alone', () => {
    expect(complaintOf(spoken(), request({ ...TOLD.nginx, path: '/live/film/1.ts' }))?.[0]).toBe(403);
    expect(complaintOf(spoken({ proxy: 'envoy' }), request({ ...TOLD.envoy, path: '' }))?.[0]).toBe(400);
  });
});

describe('the viewer’s address', () => {
  it.each([
    ['198.51.100.1, 192.0.2.7', 1, '192.0.2.7'],
    ['198.51.100.1,192.0.2.7', 1, '192.0.2.7'],
    ['198.51.100.1, 192.0.2.7, 10.0.0.9', 2, '192.0.2.7'],
    ['2001:db8::7', 1, '2001:db8::7'],
    ['::ffff:192.0.2.7', 1, '192.0.2.7'],
  ])('of %j with %d hops is %s', (given, hops, ip) => {
    expect(
      factsOf(spoken({ proxy: 'traefik', hops }), asked({ 'x-forwarded-for': given }, 'traefik')).ip,
    ).toBe(ip);
  });

  it.each([
    ['192.0.2.7', 2],
    ['198.51.100.1, unknown', 1],
    ['198.51.100.1, ', 1],
  ])('is not guessed from %j with %d hops', (given, hops) => {
    const told = asked({ 'x-forwarded-for': given }, 'caddy');
    expect(complaintOf(spoken({ proxy: 'caddy', hops }), told)?.[0]).toBe(400);
  });

  it('is read from what is left when load balancers of ours have taken theirs off', () => {
    const told = asked({ 'x-forwarded-for': '192.0.2.7, 10.0.0.21' }, 'traefik');
    expect(factsOf(spoken({ proxy: 'traefik' }), { ...told, forwardedFor: '192.0.2.7' }).ip).toBe(
      '192.0.2.7',
    );
    expect(complaintOf(spoken({ proxy: 'traefik' }), { ...told, forwardedFor: '' })?.[0]).toBe(400);
  });
});

describe('what a viewer shows', () => {
  const shown = (settings: object, uri: string, headers: Record<string, string> = {}): Partial<EdgeFacts> => {
    const { query, token, authorization, visit } = factsOf(
      spoken(settings),
      asked({ 'x-original-uri': uri, ...headers }),
    );
    return { query, token, authorization, visit: { who: '', isShown: visit!.isShown } };
  };
  const seen = { who: '', isShown: true };
  const none = { who: '', isShown: false };
  const U = '/live/sport/1.ts';
  it.each<[string, object, string, Record<string, string>, Partial<EdgeFacts>]>([
    ['a query', {}, `${U}?token=a&x=%20`, {}, { query: 'token=a&x=%20', visit: seen }],
    ['nothing', {}, U, {}, { query: '', visit: none }],
    ['an empty query', {}, `${U}?`, {}, { query: '', visit: none }],
    ['what LL-HLS adds', {}, `${U}?_HLS_msn=5&_HLS_part=2`, {}, { query: '', visit: none }],
    ['what LL-HLS adds to a token', {}, `${U}?token=a&_HLS_msn=5`, {}, { query: 'token=a', visit: seen }],
    [
      'parameters that count',
      { parameters: ['token', 'mac'] },
      `${U}?v=1&token=a`,
      {},
      { query: 'token=a', visit: seen },
    ],
    ['none of them', { parameters: ['token'] }, `${U}?v=1&token=`, {}, { query: '', visit: none }],
    [
      'a Bearer',
      {},
      U,
      { authorization: 'Bearer j.w/t' },
      { query: 'token=j.w%2Ft', token: 'j.w/t', authorization: 'Bearer j.w/t', visit: seen },
    ],
    [
      'Basic',
      {},
      U,
      { authorization: 'Basic YTpi' },
      { query: '', authorization: 'Basic YTpi', visit: seen },
    ],
    [
      'a cookie with a token',
      { tokenCookie: 't' },
      U,
      { cookie: 'a=1; t=x' },
      { query: 'token=x', token: 'x', visit: seen },
    ],
    ['a cookie that says nothing', {}, U, { cookie: 'a=1; t=x' }, { query: '', visit: none }],
    ['a session cookie', { cookie: 'sid' }, U, { cookie: 'sid=x' }, { query: '', visit: none }],
  ])('%s', (_, settings, uri, headers, expected) => {
    expect(shown(settings, uri, headers)).toEqual(expected);
  });

  it('a session cookie names the session, for each channel another one, whatever the address', () => {
    const dialect = spoken({ cookie: 'sid' });
    const one = factsOf(dialect, asked({ cookie: 'sid=x' }));
    const moved = factsOf(dialect, asked({ cookie: 'sid=x', 'x-real-ip': '192.0.2.8' }));
    const zapped = factsOf(dialect, asked({ cookie: 'sid=x', 'x-original-uri': '/live/film/1.ts' }));
    expect(one.givenSessionId).toMatch(/^[a-z2-7]{26}$/);
    expect(moved).toMatchObject({ givenSessionId: one.givenSessionId, visit: { who: one.visit!.who } });
    expect(zapped.givenSessionId).not.toBe(one.givenSessionId);
    expect(factsOf(dialect, asked({ cookie: 'other=x' })).givenSessionId).toBe('');
  });

  it.each([
    ['a=1; sid=x; sid=y', 'x'],
    ['sid=x', 'x'],
    ['xsid=1;sid = 2;sid=3 ', '3'],
    ['sid', ''],
    [';; ;', ''],
    ['asid=1', ''],
    ['', ''],
  ])('in %j the cookie sid is %j', (cookies, value) => {
    expect(cookieValue(cookies, 'sid')).toBe(value);
  });
});

describe('methods', () => {
  const ask = (method: string, settings: object = {}, uri = '/live/sport/1.ts') =>
    spoken(settings).parse(asked({ 'x-original-method': method, 'x-original-uri': uri }));
  it.each([
    ['OPTIONS', {}, '/live/sport/1.ts', { kind: 'answered', answer: { status: 200 } }],
    ['OPTIONS', { preflight: 'ask' }, '/live/sport/1.ts', { kind: 'check' }],
    ['OPTIONS', {}, '/file', { kind: 'check' }],
    ['OPTIONS', {}, '/live/a/../b/x', { kind: 'answered', answer: { status: 403 } }],
    ['HEAD', {}, '/live/sport/1.ts', { kind: 'check' }],
    ['HEAD', { head: 'allow' }, '/live/sport/1.ts', { kind: 'answered', answer: { status: 200 } }],
    ['PUT', {}, '/live/sport/1.ts', { kind: 'check', facts: { action: 'publish' } }],
    ['POST', {}, '/live/sport/1.ts', { kind: 'check', facts: { action: 'publish' } }],
  ])('%s with %j of %s', (method, settings, uri, expected) => {
    expect(ask(method, settings, uri)).toMatchObject(expected);
  });

  it('to publish there has to be one that is set', () => {
    expect(ask('POST', { publish: ['PUT'] })).toMatchObject({
      kind: 'check',
      facts: { visit: { isShown: false } },
    });
    expect(ask('POST', { publish: ['PUT'] })).not.toHaveProperty('facts.action');
    expect(ask('PUT')).not.toHaveProperty('facts.visit');
  });
});

describe('what a proxy is told', () => {
  const FACTS = factsOf(spoken(), asked());
  const EMPTY = factsOf(spoken(), asked({ 'x-original-uri': '/live/sport/1.ts' }));
  const decision = (part: Partial<Decision>): Decision => ({
    allow: false,
    source: 'backend',
    reason: 'backend-denied',
    edgeTtl: 30,
    ...part,
  });
  const told = (proxy: ProxyName, part: Partial<Decision>, facts = FACTS): EdgeAnswer =>
    spoken({ proxy }).render(decision(part), facts);
  const promo = { header: 'X-Location', address: 'http://promo.example.com/' } as const;
  const away = { because: 'backend', source: 'fail-closed' } as const;

  it.each<[ProxyName, Partial<Decision>, number, object]>([
    ['nginx', { allow: true, user: 'anna' }, 200, { 'X-UserId': 'anna', 'X-Accel-Expires': '30' }],
    ['nginx', { status: 401 }, 401, { 'X-Accel-Expires': '30' }],
    ['nginx', { status: 404 }, 403, { 'X-Accel-Expires': '30' }],
    [
      'nginx',
      { status: 302, redirect: promo },
      403,
      { 'X-Usher-Location': promo.address, 'X-Accel-Expires': '30' },
    ],
    ['nginx', away, 403, { 'X-Accel-Expires': '0' }],
    ['nginx', { verbatim: true, status: 503 }, 503, { 'X-Accel-Expires': '0' }],
    ['haproxy', { allow: true, user: 'anna' }, 200, { 'X-UserId': 'anna' }],
    ['haproxy', { status: 302, redirect: promo }, 403, { 'X-Usher-Location': promo.address }],
    ['haproxy', away, 403, {}],
    ['traefik', { allow: true }, 200, {}],
    ['traefik', { status: 403, redirect: promo }, 302, { Location: promo.address }],
    ['traefik', { status: 401 }, 401, {}],
    ['traefik', away, 503, {}],
    ['caddy', { status: 403 }, 403, {}],
    ['caddy', away, 503, {}],
    ['envoy', { status: 307, redirect: promo }, 302, { Location: promo.address }],
    ['envoy', away, 503, {}],
  ])('%s %j', (proxy, given, status, headers) => {
    expect(told(proxy, given)).toEqual({ status, headers });
  });

  it('nginx keeps no denial of somebody who showed nothing, and nothing about publishing', () => {
    expect(told('nginx', {}, EMPTY).headers).toEqual({ 'X-Accel-Expires': '0' });
    expect(told('nginx', { allow: true }, EMPTY).headers).toEqual({ 'X-Accel-Expires': '30' });
    expect(told('nginx', { allow: true }, { ...FACTS, action: 'publish' }).headers).toEqual({
      'X-Accel-Expires': '0',
    });
  });

  it('a user’s name never ends a header', () => {
    expect(told('nginx', { allow: true, user: 'a\r\nSet-Cookie: x' }).headers['X-UserId']).toBe(
      'aSet-Cookie: x',
    );
  });
});

describe('by heart', () => {
  const word = (...words: string[]) => fc.constantFrom(...words);
  const viewers = fc.record({
    path: word(
      '/live/a/1.ts',
      '/live/a/2.ts',
      '/live/b/1.ts',
      '/hls/a-1.ts',
      '/a/x',
      '/a',
      '/live/%61/1.ts',
      '/live/a/../b/1.ts',
    ),
    query: word('', '?', '?t=1', '?t=2', '?t=1&_HLS_msn=1', '?v=1'),
    method: word('GET', 'HEAD', 'OPTIONS', 'PUT'),
    ip: word('192.0.2.1', '192.0.2.2', '::ffff:192.0.2.1', 'nonsense'),
    host: word('a.example', 'b.example'),
    agent: word('VLC', 'Kodi'),
    cookie: word('', 'sid=1', 'sid=2', 'tok=1', 'sid=1; tok=1'),
    authorization: word('', 'Bearer 1', 'Basic YTpi'),
    referer: word('', 'http://site.example/'),
  });
  const settings = fc.record({
    parameters: fc.constantFrom([], ['t']),
    cookie: fc.constantFrom(undefined, 'sid'),
    tokenCookie: fc.constantFrom(undefined, 'tok'),
    head: word('ask', 'allow'),
  });
  const requestOf = (viewer: {
    [
      K in 'path' | 'query' | 'method' | 'ip' | 'host' | 'agent' | 'cookie' | 'authorization' | 'referer'
    ]: string;
  }) =>
    request({
      headers: {
        'x-original-uri': viewer.path + viewer.query,
        'x-original-method': viewer.method,
        'x-original-host': viewer.host,
        'x-real-ip': viewer.ip,
        'user-agent': viewer.agent,
        ...(viewer.cookie && { cookie: viewer.cookie }),
        ...(viewer.authorization && { authorization: viewer.authorization }),
        ...(viewer.referer && { referer: viewer.referer }),
      },
    });

  it('requests are one only where they ask the same', () => {
    let equal = 0;
    fc.assert(
      fc.property(settings, viewers, viewers, (given, one, other) => {
        const dialect = spoken(given);
        const gist = dialect.gist!(requestOf(one));
        if (gist === undefined || gist !== dialect.gist!(requestOf(other))) return;
        equal += 1;
        expect(dialect.parse(requestOf(one))).toEqual(dialect.parse(requestOf(other)));
        expect(dialect.parse(requestOf(one)).kind).toBe('check');
      }),
      {
        numRuns: 3_000,
        examples: [
          [{ parameters: [], cookie: undefined, tokenCookie: undefined, head: 'ask' }, SEGMENT_1, SEGMENT_2],
        ],
      },
    );
    expect(equal).toBeGreaterThan(0);
  });

  it('not by a folder that holds a panel’s login, which the backend is asked with', () => {
    const dialect = spoken({ paths: ['/live/*/*/{channel}.ts'] });
    const of = (uri: string) => asked({ 'x-original-uri': uri });
    expect(factsOf(dialect, of('/live/anna/secret/12.m3u8'))).toMatchObject({
      channel: '/live/anna/***',
      path: '/live/anna/secret/12.m3u8',
      place: '/live/anna/secret',
    });
    expect(dialect.gist!(of('/live/anna/secret/12.m3u8'))).toBeUndefined();
    expect(dialect.gist!(of('/live/anna/secret/12.ts'))).toBeDefined();
  });

  it('are only plain requests to play', () => {
    const gist = (headers: Record<string, string | undefined>) => spoken().gist!(asked(headers));
    expect(gist({})).toBe(gist({ 'x-original-uri': '/live/sport/seg-2.ts?token=abc' }));
    expect(gist({ 'x-original-method': 'PUT' })).toBeUndefined();
    expect(gist({ 'x-original-method': 'OPTIONS' })).toBeUndefined();
    expect(gist({ 'x-original-uri': '/live/sport/%31.ts' })).toBeUndefined();
    expect(gist({ 'x-original-uri': `/live/sport/${'x'.repeat(5_000)}` })).toBeUndefined();
    expect(gist({ 'x-real-ip': undefined })).toBeUndefined();
  });
});

const SEGMENT_1 = {
  path: '/live/a/1.ts',
  query: '?t=1',
  method: 'GET',
  ip: '192.0.2.1',
  host: 'a.example',
  agent: 'VLC',
  cookie: '',
  authorization: '',
  referer: '',
};
const SEGMENT_2 = { ...SEGMENT_1, path: '/live/a/2.ts' };
