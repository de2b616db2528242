import { configSchema } from '#usher/config';
import type { Decision } from '#usher/domain';
import fc from 'fast-check';
import { BadRequest, type EdgeFacts, type EdgeQuestion, type EdgeRequest } from '../dialect.js';
import { DIALECTS } from '../registry.js';

const spoken = (settings: object = {}) =>
  DIALECTS.mediamtx.speak(
    configSchema.parse({ edges: { any: { dialect: 'mediamtx', ...settings } } }).edges['any']!,
  );
const mediamtx = spoken();

const ID = '7b0d5f3e-2c1a-4c56-9a77-1f2e3d4c5b6a';
/** As MediaMTX sends it. */
const ASKED = {
  ip: '192.0.2.7',
  user: '',
  password: '',
  token: '',
  action: 'read',
  path: 'cam1',
  protocol: 'hls',
  id: ID,
  query: 'token=abc&x=1',
  userAgent: 'VLC/3',
};
const posted = (body: unknown): EdgeRequest => ({
  method: 'POST',
  path: '',
  query: '',
  headers: {},
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  remoteAddress: '10.0.0.4',
});
function factsOf(part: object, dialect = mediamtx): EdgeFacts {
  const question: EdgeQuestion = dialect.parse(posted({ ...ASKED, ...part }));
  if (question.kind !== 'check') throw new Error(`it is ${question.kind}`);
  return question.facts;
}

describe('what MediaMTX asks', () => {
  it('is read as its source has it', () => {
    expect(factsOf({})).toEqual({
      givenSessionId: ID,
      channel: 'cam1',
      ip: '192.0.2.7',
      path: '/cam1',
      userAgent: 'VLC/3',
      host: '',
      origin: '',
      query: 'token=abc&x=1',
      protocol: 'hls',
      lacksCredentials: false,
    });
  });

  it.each<[string, object, Partial<EdgeFacts>]>([
    ['a publisher', { action: 'publish', protocol: 'srt' }, { action: 'publish', protocol: 'srt' }],
    ['a recording', { action: 'playback', protocol: '', id: null }, { channel: 'cam1', givenSessionId: '' }],
    ['a nested path', { path: 'live/sport/1' }, { channel: 'live/sport/1', path: '/live/sport/1' }],
    ['an older release, which names no player', { userAgent: undefined }, { userAgent: '' }],
    ['no address', { ip: '' }, { ip: '10.0.0.4' }],
    ['fields that are new', { future: { a: [1] } }, { channel: 'cam1' }],
    ['a query with its mark', { query: '?a=1' }, { query: 'a=1' }],
    ['bytes that end lines', { query: 'a=1\r\nX: 1' }, { query: 'a=1%0D%0AX:%201' }],
    ['text that is not ASCII', { path: 'канал' }, { channel: Buffer.from('канал').toString('latin1') }],
  ])('about %s is understood', (_, part, expected) => {
    expect(factsOf(part)).toMatchObject(expected);
  });

  it('is completed by the stream of a player’s path', () => {
    const facts = factsOf({ path: 'live/cam1' });
    expect(mediamtx.complete?.({ ...facts, channel: '', path: '/live/cam1/index.m3u8' })).toEqual(facts);
    expect(mediamtx.complete?.({ ...facts, channel: '', path: '/live/cam1' })).toEqual(facts);
  });

  const BASIC = `Basic ${Buffer.from('anna:secret').toString('base64')}`;
  it.each<[string, object, Partial<EdgeFacts>]>([
    ['in the query', {}, { query: 'token=abc&x=1' }],
    ['as a Bearer', { token: 'b/1', query: 'x=1' }, { query: 'x=1&token=b%2F1', token: 'b/1' }],
    ['as a Bearer beside the query', { token: 'b1' }, { query: 'token=abc&x=1', token: 'b1' }],
    ['in the query of RTSP', { token: 'abc', protocol: 'rtsp' }, { query: 'token=abc&x=1', token: 'abc' }],
    ['as jwt', { token: 'j1', query: 'jwt=j1' }, { query: 'jwt=j1&token=j1', token: 'j1' }],
    [
      'as a password without a user',
      { password: 'p1', token: 'p1', query: '' },
      { query: 'token=p1', token: 'p1' },
    ],
    [
      'as such a password in an older release',
      { password: 'p1', token: '', query: '' },
      { query: 'token=p1', token: 'p1' },
    ],
    [
      'as user and password, which MediaMTX calls the token too',
      { user: 'anna', password: 'secret', token: 'secret', query: '' },
      { query: '', authorization: BASIC },
    ],
    [
      'as both',
      { user: 'anna', password: 'secret', token: 't1', query: '' },
      { query: 'token=t1', token: 't1', authorization: BASIC },
    ],
  ])('names a credential %s', (_, part, expected) => {
    const { query, token, authorization, lacksCredentials } = factsOf(part);
    expect({ query, token, authorization }).toEqual({
      token: undefined,
      authorization: undefined,
      ...expected,
    });
    expect(lacksCredentials).toBe(false);
  });

  it.each([
    ['', true],
    ['&', true],
    ['a=1', false],
    ['flag', false],
  ])('about a player that showed nothing is no question for a backend yet: query %p', (query, lacks) => {
    expect(factsOf({ query }).lacksCredentials).toBe(lacks);
    expect(factsOf({ query }, spoken({ mediamtx: { credentials: 'optional' } })).lacksCredentials).toBe(
      false,
    );
  });

  it.each(['api', 'metrics', 'pprof'])('about its own %s is refused on purpose', (action) => {
    expect(mediamtx.parse(posted({ ...ASKED, action, path: '', id: null }))).toMatchObject({
      kind: 'answered',
      answer: { status: 401, body: expect.stringContaining('authHTTPExclude') },
    });
  });

  it.each<[string, unknown]>([
    ['the body is no JSON', 'user=anna'],
    ['the body is no JSON', ''],
    ['the body is no JSON object', '"read"'],
    ['the body is no JSON object', [ASKED]],
    ['action is none of read, playback, publish', {}],
    ['action is none of read, playback, publish', { ...ASKED, action: 'fly' }],
    ['action is no text', { ...ASKED, action: ['read'] }],
    ['path is missing', { ...ASKED, path: '' }],
    ['path is no text', { ...ASKED, path: { toString: 'cam1' } }],
    ['id is longer than 256 bytes', { ...ASKED, id: 'x'.repeat(257) }],
    ['query is longer than 8192 bytes', { ...ASKED, query: 'x'.repeat(8193) }],
    ['the body is no JSON', '['.repeat(60_000)],
  ])('is refused with a sentence: %s', (sentence, body) => {
    expect(() => mediamtx.parse(posted(body))).toThrow(new BadRequest(sentence));
  });

  it('with a field twice is about the last one', () => {
    const twice = JSON.stringify(ASKED).replace('"path":"cam1"', '"path":"cam1","path":"cam2"');
    expect(mediamtx.parse(posted(twice))).toMatchObject({ facts: { channel: 'cam2' } });
  });

  it('whatever it is, is understood or refused', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.dictionary(fc.constantFrom(...Object.keys(ASKED)), fc.jsonValue()),
        (any, part) => {
          for (const body of [any, { ...ASKED, ...part }]) {
            try {
              mediamtx.parse(posted(body));
            } catch (error) {
              expect(error).toBeInstanceOf(BadRequest);
            }
          }
        },
      ),
    );
  });
});

describe('what MediaMTX is told', () => {
  const decision = (part: Partial<Decision>): Decision => ({
    allow: false,
    source: 'backend',
    reason: 'backend-denied',
    ...part,
  });
  const promo = { header: 'Location', address: 'http://promo.example.com/' } as const;
  it.each<[string, Decision, number]>([
    ['an allow', decision({ allow: true, sessionName: 'anna', user: 'anna' }), 200],
    ['a denial', decision({ status: 401 }), 403],
    ['nothing of another address: it would go there', decision({ status: 302, redirect: promo }), 403],
    ['to ask for credentials', decision({ source: 'rule', reason: 'credentials-missing', status: 401 }), 401],
    ['an outage as a denial', decision({ source: 'fail-closed', reason: 'refused-unavailable' }), 403],
    ['our own trouble as a denial', decision({ source: 'overload', reason: 'overload-refused' }), 403],
    ['in mode observe, the backend’s own status', decision({ verbatim: true, status: 502 }), 502],
    ['in mode observe, no way to elsewhere', decision({ verbatim: true, status: 302, redirect: promo }), 403],
  ])('%s', (_, given, status) => {
    expect(mediamtx.render(given, factsOf({}))).toEqual({ status, headers: {} });
  });
});
