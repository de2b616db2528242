import { configSchema } from '#usher/config';
import type { Decision } from '#usher/domain';
import fc from 'fast-check';
import { BadRequest, type EdgeFacts, type EdgeRequest } from '../dialect.js';
import { DIALECTS } from '../registry.js';

const spoken = (settings: object = {}) =>
  DIALECTS.flussonic.speak(
    configSchema.parse({ edges: { any: { dialect: 'flussonic', ...settings } } }).edges['any']!,
  );
const flussonic = spoken();
const passing = spoken({ flussonic: { passLimits: true } });

const asked = (query: string): EdgeRequest => ({
  method: 'GET',
  path: '',
  query,
  headers: {},
  body: Buffer.alloc(0),
  remoteAddress: '10.0.0.3',
});
const posted = (body: unknown): EdgeRequest => ({
  ...asked(''),
  method: 'POST',
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});
function factsOf(request: EdgeRequest): EdgeFacts {
  const question = flussonic.parse(request);
  if (question.kind !== 'check') throw new Error(`it is ${question.kind}`);
  return question.facts;
}

/** As the vendor's page has it. */
const DOCUMENTED =
  'name=cnn&proto=hls&ip=10.77.0.150&request_type=new_session&request_number=0' +
  '&session_id=6217fd62-16da-4206-9da9-0173d7552a14&stream_clients=1&total_clients=2' +
  '&token=60334b207baa&qs=token%3D60334b207baa&user_agent=curl%2F7.68.0&host=edge1&dvr=false';
const UPDATED = DOCUMENTED.replace('new_session', 'update_session')
  .replace('request_number=0', 'request_number=3')
  .concat('&duration=540&bytes=102400');

describe('what Flussonic asks', () => {
  it('is read as its contract has it', () => {
    expect(flussonic.parse(asked(DOCUMENTED))).toEqual({
      kind: 'check',
      facts: {
        givenSessionId: '6217fd62-16da-4206-9da9-0173d7552a14',
        channel: 'cnn',
        ip: '10.77.0.150',
        path: '/cnn',
        userAgent: 'curl/7.68.0',
        host: 'edge1',
        origin: '',
        query: 'token=60334b207baa',
        token: '60334b207baa',
        referer: '',
        protocol: 'hls',
        byHand: false,
      },
    });
  });

  it('again about a session is the same question', () => {
    expect(factsOf(asked(UPDATED))).toEqual(factsOf(asked(DOCUMENTED)));
  });

  it.each<[string, string, Partial<EdgeFacts>]>([
    [
      'Flussonic of 2013, which names no session',
      'ip=10.0.0.5&token=t1&name=cnn&stream_clients=1&total_clients=1&request_type=new_session',
      { givenSessionId: '', channel: 'cnn', token: 't1', query: 'token=t1' },
    ],
    [
      'Stream Hub, whose session id is a hash',
      'name=cnn&ip=10.0.0.5&proto=http_ts&token=t1&session_id=aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d' +
        '&request_type=open_session&request_number=1&uri=http%3A%2F%2Fh%2Fcnn%3Ftoken%3Dt1&dvr=0',
      { givenSessionId: 'aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d', protocol: 'http_ts', query: 'token=t1' },
    ],
    ['what was recorded', DOCUMENTED.replace('dvr=false', 'dvr=true'), { dvr: true }],
    ['what was recorded, in Stream Hub’s word', 'name=cnn&ip=10.0.0.5&dvr=1', { dvr: true }],
    ['a type that is new', 'name=cnn&ip=10.0.0.5&request_type=resumed', { channel: 'cnn', query: '' }],
    ['a file in a folder', 'name=vod%2Ffilms%2Fa%20b.mp4&ip=1.2.3.4', { channel: 'vod/films/a b.mp4' }],
    ['an address that has a query of its own', `key=1&zone=a&${DOCUMENTED}`, { channel: 'cnn' }],
    ['one to which another ? was appended', `key=1&zone=a?${DOCUMENTED}`, { channel: 'cnn' }],
  ])('%s is understood', (_, query, expected) => {
    expect(factsOf(asked(query))).toMatchObject(expected);
  });

  it.each<[string, string, Partial<EdgeFacts>]>([
    [
      'fields in the viewer’s query',
      'name=cnn&ip=10.0.0.5&proto=hls&session_id=s1&qs=name%3Dfree%26ip%3D1.1.1.1%26session_id%3Ds2',
      { channel: 'cnn', ip: '10.0.0.5', givenSessionId: 's1', query: 'name=free&ip=1.1.1.1&session_id=s2' },
    ],
    [
      'a token that is a query',
      'token=t%26name%3Dfree%26ip%3D1.1.1.1&name=cnn&ip=10.0.0.5',
      { channel: 'cnn', ip: '10.0.0.5', token: 't&name=free&ip=1.1.1.1' },
    ],
    [
      'a field that is there twice',
      'name=cnn&ip=10.0.0.5&token=t1&name=free&ip=1.1.1.1&token=t2',
      { channel: 'cnn', ip: '10.0.0.5', token: 't1' },
    ],
    [
      'a ? that was left as it is',
      'token=t?name=free&ip=1.1.1.1&name=cnn&ip=10.0.0.5',
      { channel: 'cnn', ip: '1.1.1.1', token: 't?name=free' },
    ],
  ])('cannot be changed by %s', (_, query, expected) => {
    expect(factsOf(asked(query))).toMatchObject(expected);
  });

  it('nor by a dvr of the viewer’s own', () => {
    expect(factsOf(asked(`${DOCUMENTED}&dvr=true`))).toEqual(factsOf(asked(DOCUMENTED)));
  });

  it.each<[string, string, string, string | undefined]>([
    [
      'its query byte for byte',
      'qs=x%3D%25C3%25A9%25zz%26%26token%3Dt1%26empty%3D',
      'x=%C3%A9%zz&&token=t1&empty=',
      undefined,
    ],
    ['a token that its query lacks', 'qs=a%3D1&token=t1', 'a=1&token=t1', 't1'],
    ['a token alone', 'token=t1', 'token=t1', 't1'],
    [
      'a token with what must be escaped',
      'token=a%26b%3D%2B%2F%20%C3%A9',
      'token=a%26b%3D%2B%2F%20%C3%A9',
      'a&b=+/ \u00c3\u00a9',
    ],
    ['no second token', 'qs=token%3Dmine&token=made', 'token=mine', 'made'],
    ['a plus as a plus', 'qs=token%3Da%2Bb&token=a+b', 'token=a+b', 'a+b'],
    ['escapes that are none, as they are', 'qs=a%3D%zz%2&token=%', 'a=%zz%2&token=%25', '%'],
    ['bytes that are no UTF-8', 'qs=a%3D%ff%fe', 'a=\u00ff\u00fe', undefined],
    ['nothing that could end a line', 'qs=a%3D1%0d%0aX-Evil:%201%00', 'a=1%0D%0AX-Evil:%201%00', undefined],
  ])('gives a backend %s', (_, fields, query, token) => {
    const facts = factsOf(asked(`name=cnn&ip=10.0.0.5&${fields}`));
    expect(facts.query).toBe(query);
    if (token !== undefined) expect(facts.token).toBe(token);
  });

  it('whatever the viewer sends comes out again', () => {
    fc.assert(
      fc.property(fc.webQueryParameters(), (viewers) => {
        const { query, channel } = factsOf(asked(`name=cnn&ip=1.2.3.4&qs=${encodeURIComponent(viewers)}`));
        expect(query).toBe(viewers.replace(/^\?/, ''));
        expect(channel).toBe('cnn');
      }),
    );
  });

  it('is seen to be no Flussonic where none of its fields is there', () => {
    expect(factsOf(asked('token=t1'))).toMatchObject({ byHand: true, ip: '10.0.0.3', query: 'token=t1' });
  });

  it.each([
    ['name is missing', 'ip=1.2.3.4&token=t1'],
    ['session_id is longer than 256 bytes', `name=cnn&session_id=${'x'.repeat(257)}`],
    ['name is longer than 2048 bytes', `name=${'x'.repeat(2049)}`],
  ])('is refused with a sentence: %s', (sentence, query) => {
    expect(() => flussonic.parse(asked(query))).toThrow(new BadRequest(sentence));
  });
});

describe('what a person asks in Flussonic’s place', () => {
  const FACTS = factsOf(asked(DOCUMENTED));
  const { token: _, ...unsaid } = FACTS;

  it.each<[string, string]>([
    ['/cnn/index.m3u8', 'cnn'],
    ['/cnn/mpegts', 'cnn'],
    ['/cnn', 'cnn'],
    ['/tv/news/cnn/tracks-v1a1/mono.m3u8', 'tv/news/cnn/tracks-v1a1'],
    ['/vod/a.mp4/index.m3u8', 'vod/a.mp4'],
    ['/', ''],
  ])('is completed by the stream of the path %s', (path, channel) => {
    expect(flussonic.complete?.({ ...unsaid, channel: '', path })).toMatchObject({ channel });
  });

  it('is the same question: path and token are Flussonic’s', () => {
    expect(flussonic.complete?.({ ...unsaid, channel: '', path: '/cnn/index.m3u8' })).toEqual(FACTS);
    expect(flussonic.complete?.(FACTS)).toEqual(FACTS);
  });
});

describe('what Flussonic asks about a publisher', () => {
  const PUBLISH = {
    name: 'studio',
    proto: 'rtmp',
    ip: '10.0.0.5',
    request_type: 'new_session',
    request_number: 0,
    session_id: '6217fd62-16da-4206-9da9-0173d7552a14',
    stream_clients: 0,
    total_clients: 0,
    token: 'key 1',
    qs: 'token=key+1&x=é',
    dvr: false,
  };

  it('is read from its JSON', () => {
    expect(factsOf(posted(PUBLISH))).toEqual({
      givenSessionId: '6217fd62-16da-4206-9da9-0173d7552a14',
      channel: 'studio',
      ip: '10.0.0.5',
      path: '/studio',
      userAgent: '',
      host: '',
      origin: '',
      query: 'token=key+1&x=\u00c3\u00a9',
      token: 'key 1',
      referer: '',
      protocol: 'rtmp',
      action: 'publish',
    });
  });

  it.each([
    ['the body is no JSON', 'name=studio'],
    ['the body is no JSON', ''],
    ['the body is no JSON object', '[]'],
    ['the body is no JSON object', 'null'],
    ['name is missing', '{}'],
    ['name is missing', '{"__proto__":{"name":"free"}}'],
    ['name is no text', { ...PUBLISH, name: { $ne: '' } }],
    ['ip is no text', { ...PUBLISH, ip: 1 }],
    ['token is longer than 8192 bytes', { ...PUBLISH, token: 'x'.repeat(8193) }],
  ])('is refused with a sentence: %s', (sentence, body) => {
    expect(() => flussonic.parse(posted(body))).toThrow(new BadRequest(sentence));
  });
});

describe('what Flussonic is told', () => {
  const FACTS = factsOf(asked(DOCUMENTED));
  const decision = (part: Partial<Decision>): Decision => ({
    allow: true,
    source: 'backend',
    reason: 'backend-allowed',
    edgeTtl: 180,
    ...part,
  });
  const denied = (part: Partial<Decision> = {}) =>
    decision({ allow: false, reason: 'backend-denied', edgeTtl: 10, status: 401, ...part });
  const promo = { header: 'X-Location', address: 'http://promo.example.com/' } as const;
  const limits = { maxSessions: 2, unique: true };

  it.each<[string, Decision, number, Record<string, string>]>([
    ['an allow', decision({}), 200, { 'X-AuthDuration': '180' }],
    ['an allow with a user', decision({ user: '42' }), 200, { 'X-AuthDuration': '180', 'X-UserId': '42' }],
    ['limits to itself', decision(limits), 200, { 'X-AuthDuration': '180' }],
    ['a denial', denied(), 403, { 'X-AuthDuration': '10' }],
    [
      'another address',
      denied({ redirect: promo }),
      302,
      { 'X-AuthDuration': '10', Location: promo.address },
    ],
    [
      'an outage',
      denied({ source: 'fail-closed', reason: 'refused-unavailable', because: 'backend' }),
      503,
      {},
    ],
    ['our own trouble', denied({ source: 'overload', reason: 'overload-refused', because: 'us' }), 503, {}],
    [
      'the end of trust',
      denied({ source: 'fail-closed', reason: 'trust-ended' }),
      403,
      { 'X-AuthDuration': '10' },
    ],
    [
      'in mode observe, a denial with another address',
      denied({ redirect: promo, verbatim: true, status: 403, edgeTtl: undefined }),
      403,
      { 'X-Location': promo.address },
    ],
    [
      'in mode observe, another address',
      denied({
        redirect: { header: 'Location', address: promo.address },
        verbatim: true,
        status: 307,
        edgeTtl: undefined,
      }),
      307,
      { Location: promo.address },
    ],
    ['in mode observe, a failure', denied({ verbatim: true, status: 500, edgeTtl: undefined }), 500, {}],
    [
      'in mode observe, all that the backend said',
      decision({ ...limits, user: '42', verbatim: true, edgeTtl: 36_000 }),
      200,
      { 'X-AuthDuration': '36000', 'X-UserId': '42', 'X-Max-Sessions': '2', 'X-Unique': 'true' },
    ],
  ])('%s', (_, given, status, headers) => {
    expect(flussonic.render(given, FACTS)).toEqual({ status, headers });
  });

  it('the backend’s limits where the edge is configured so', () => {
    expect(passing.render(decision({ ...limits, unique: false, user: 'anna' }), FACTS).headers).toEqual({
      'X-AuthDuration': '180',
      'X-UserId': 'anna',
      'X-Max-Sessions': '2',
    });
  });

  it('of a publisher, no other address', () => {
    expect(flussonic.render(denied({ redirect: promo }), { ...FACTS, action: 'publish' })).toEqual({
      status: 403,
      headers: { 'X-AuthDuration': '10' },
    });
  });

  it('no control character of a user’s name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (user) => {
        const { headers } = flussonic.render(decision({ user: `a${user}` }), FACTS);
        expect(headers['X-UserId']).not.toMatch(/[\r\n\0]/);
      }),
    );
  });
});
