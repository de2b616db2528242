import { configSchema } from '#usher/config';
import type { Decision } from '#usher/domain';
import fc from 'fast-check';
import { DIALECTS } from '../registry.js';
import { BadRequest, type EdgeFacts, type EdgeRequest } from '../dialect.js';

const EDGE = configSchema.parse({ edges: { any: {} } }).edges['any']!;
const SPOKEN = { astra: DIALECTS.astra.speak(EDGE), alta: DIALECTS.alta.speak(EDGE) };

const ask = (headers: Record<string, string>, query = 'token=123'): EdgeRequest => ({
  method: 'GET',
  path: '',
  body: Buffer.alloc(0),
  query,
  headers,
  remoteAddress: '192.0.2.1',
});

const ASTRA = {
  'x-session-id': '42',
  'x-channel-id': 'a001',
  'x-real-ip': '192.0.2.7',
  'x-real-path': '/play/a001/index.m3u8',
  'x-real-ua': 'VLC/3',
  'x-real-host': 'live.example.com',
};

describe('astra and alta read their documented headers', () => {
  it.each([
    [
      'astra',
      ASTRA,
      {
        givenSessionId: '42',
        channel: 'a001',
        ip: '192.0.2.7',
        host: 'live.example.com',
        origin: '',
        byHand: false,
      },
    ],
    [
      'alta',
      {
        'x-session-id': 's1',
        'x-real-ip': '2001:db8::7',
        'x-real-path': '/sport1/hd/s1.m3u8',
        'x-real-ua': 'VLC/3',
        'x-real-origin': 'https://live.example.com:8443',
      },
      {
        givenSessionId: 's1',
        channel: 'sport1',
        ip: '2001:db8::7',
        host: 'live.example.com',
        origin: 'https://live.example.com:8443',
        byHand: false,
      },
    ],
    [
      'astra',
      { 'user-agent': 'curl/8' },
      { givenSessionId: '', ip: '192.0.2.1', userAgent: '', byHand: true },
    ],
  ] as const)('%s', (dialect, headers, expected) => {
    expect(SPOKEN[dialect].parse(ask(headers))).toMatchObject({
      kind: 'check',
      facts: { ...expected, query: 'token=123' },
    });
  });

  const atAlta = (path: string) => () => SPOKEN.alta.parse(ask({ 'x-real-path': path }));
  it.each([
    ['/sport1/index.m3u8', 'sport1'],
    ['//sport1//hd/s1.m3u8', 'sport1'],
    ['/%73port%201/index.m3u8', 'sport 1'],
    ['/vod/What%3F/..x..m3u8', 'vod'],
    ['/sport1', ''],
    ['/', ''],
    ['sport1/index.m3u8', ''],
    ['', ''],
  ])('alta’s channel is the first piece of its path: of %s it is %j', (path, channel) => {
    expect(atAlta(path)()).toMatchObject({ facts: { channel, path } });
  });

  it.each([
    '/free/../vip/index.m3u8',
    '/free/%2e%2E/vip/index.m3u8',
    '/free/..%2fvip/index.m3u8',
    '/free/%252e%252e/vip/index.m3u8',
    '/free/..\\vip/index.m3u8',
    '/free/..;a=b/vip/index.m3u8',
    '/./vip/index.m3u8',
    '/free%2fvip/index.m3u8',
    '/free%252fvip/index.m3u8',
    '/%2576ip/index.m3u8',
    '/free%3f/index.m3u8',
    '/free;vip/index.m3u8',
    '/free%00/index.m3u8',
    '/free/..',
  ])('alta’s path %s names one channel to some, and another to others', (path) => {
    expect(atAlta(path)).toThrow('the path may be read in two ways');
  });

  it('never takes the viewer’s own words for facts', () => {
    const asked = SPOKEN.astra.parse(ask(ASTRA, 'ip=10.0.0.1&name=other&token=1'));
    expect(asked).toMatchObject({
      kind: 'check',
      facts: { ip: '192.0.2.7', channel: 'a001', query: 'ip=10.0.0.1&name=other&token=1' },
    });
  });

  it('refuses an id of more than 256 bytes with a sentence', () => {
    const parse = () => SPOKEN.astra.parse(ask({ ...ASTRA, 'x-session-id': 'x'.repeat(257) }));
    expect(parse).toThrow(BadRequest);
    expect(parse).toThrow('x-session-id is longer than 256 bytes');
  });
});

const FACTS: EdgeFacts = {
  givenSessionId: '42',
  channel: 'a001',
  ip: '192.0.2.7',
  path: '',
  userAgent: '',
  host: '',
  origin: '',
  query: '',
};

const decision = (part: Partial<Decision>): Decision => ({
  allow: true,
  source: 'backend',
  reason: 'backend-allowed',
  ...part,
});

describe('what the edge is told', () => {
  const promo = { header: 'X-Location', address: 'http://promo.example.com/' } as const;
  it.each([
    ['astra', decision({ sessionName: 'anna' }), 200, { 'X-Session-Name': 'anna' }],
    ['astra', decision({ allow: false, status: 401 }), 401, {}],
    ['astra', decision({ allow: false, status: 403, redirect: promo }), 403, { 'X-Location': promo.address }],
    [
      'astra',
      decision({ allow: false, status: 302, redirect: { header: 'Location', address: '/promo' } }),
      302,
      { Location: '/promo' },
    ],
    ['astra', decision({ allow: false, source: 'fail-closed' }), 403, {}],
    ['astra', decision({ allow: false, status: 503 }), 403, {}],
    ['alta', decision({ sessionName: 'anna' }), 200, {}],
    ['alta', decision({ allow: false, status: 401 }), 403, {}],
    ['alta', decision({ allow: false, status: 302, redirect: promo }), 403, { 'X-Location': promo.address }],
  ] as const)('%s %#', (dialect, given, status, headers) => {
    expect(SPOKEN[dialect].render(given, FACTS)).toEqual({ status, headers });
  });

  it('a session name never carries a control character into a header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const { headers } = SPOKEN.astra.render(decision({ sessionName: `a${name}` }), FACTS);
        expect(headers['X-Session-Name']).not.toMatch(/[\r\n\0]/);
      }),
    );
  });
});
