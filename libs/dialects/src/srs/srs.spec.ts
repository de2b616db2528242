import { configSchema } from '#usher/config';
import type { Decision } from '#usher/domain';
import fc from 'fast-check';
import { BadRequest, type EdgeFacts, type EdgeQuestion, type EdgeRequest } from '../dialect.js';
import { DIALECTS } from '../registry.js';
import { hasFieldTwice } from './field-twice.js';

const srs = DIALECTS.srs.speak(configSchema.parse({ edges: { any: { dialect: 'srs' } } }).edges['any']!);

/** As SRS 5 sends it. */
const ASKED = {
  server_id: 'vid-0xk989d',
  service_id: '382a',
  action: 'on_play',
  client_id: '341w361a',
  ip: '192.0.2.7',
  vhost: '__defaultVhost__',
  app: 'live',
  stream: 'livestream',
  tcUrl: 'rtmp://live.example.com/live',
  param: '?token=xxx',
  pageUrl: '',
  stream_url: '/live/livestream',
  stream_id: 'vid-124q9y3',
};
const posted = (body: unknown): EdgeRequest => ({
  method: 'POST',
  path: '',
  query: '',
  headers: {},
  body: Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  remoteAddress: '10.0.0.4',
});
function factsOf(body: unknown): EdgeFacts {
  const question: EdgeQuestion = srs.parse(posted(body));
  if (question.kind !== 'check') throw new Error(`it is ${question.kind}`);
  return question.facts;
}
const json = { 'Content-Type': 'application/json' };
const CODE_0 = { status: 200, headers: json, body: '{"code":0}' };
const CODE_1 = { status: 200, headers: json, body: '{"code":1}' };

describe('what SRS asks', () => {
  it('is read as its source has it', () => {
    expect(factsOf(ASKED)).toEqual({
      givenSessionId: '341w361a',
      channel: 'live/livestream',
      ip: '192.0.2.7',
      path: '/live/livestream',
      userAgent: '',
      host: '',
      origin: '',
      query: 'token=xxx',
      referer: '',
    });
  });

  it.each<[string, object, Partial<EdgeFacts>]>([
    ['a publisher', { action: 'on_publish' }, { action: 'publish', channel: 'live/livestream' }],
    [
      'a playlist of HLS',
      { stream: 'livestream.m3u8', param: '?token=xxx&hls_ctx=1b2c3d4e' },
      {
        channel: 'live/livestream',
        path: '/live/livestream.m3u8',
        protocol: 'hls',
        query: 'token=xxx&hls_ctx=1b2c3d4e',
      },
    ],
    ['a stream that is called so', { stream: '.m3u8' }, { channel: 'live/.m3u8' }],
    [
      'a stream of another virtual host',
      { vhost: 'tv.example.com' },
      { channel: 'tv.example.com/live/livestream', path: '/live/livestream', host: 'tv.example.com' },
    ],
    ['an application of two parts', { app: 'live/hd' }, { channel: 'live/hd/livestream' }],
    ['an older release, whose ids are numbers', { client_id: 108 }, { givenSessionId: '108' }],
    ['an older release, which tells no query', { param: undefined }, { query: '' }],
    ['a web page', { pageUrl: 'http://www.example.com/tv' }, { referer: 'http://www.example.com/tv' }],
    ['no address', { ip: '' }, { ip: '10.0.0.4' }],
    ['fields that are new', { future: { action: 'on_stop', a: [1] } }, { channel: 'live/livestream' }],
    ['bytes that end lines', { param: '?a=1\r\nX: \u0000' }, { query: 'a=1%0D%0AX:%20%00' }],
    [
      'text that is not ASCII',
      { stream: 'кино' },
      { channel: `live/${Buffer.from('кино').toString('latin1')}` },
    ],
  ])('about %s is understood', (_, part, expected) => {
    expect(factsOf({ ...ASKED, ...part })).toMatchObject(expected);
  });

  it('is completed by the stream of a player’s path', () => {
    const facts = factsOf({ ...ASKED, stream: 'livestream.m3u8' });
    expect(srs.complete?.({ ...facts, channel: '' })).toEqual(facts);
    expect(srs.complete?.({ ...facts, channel: 'live/other' })).toMatchObject({ channel: 'live/other' });
  });

  it.each(['on_stop', 'on_close'])('%s ends the session', (action) => {
    expect(srs.parse(posted({ ...ASKED, action }))).toEqual({
      kind: 'ended',
      sessionIds: ['341w361a'],
      answer: CODE_0,
    });
  });

  it.each(['on_connect', 'on_unpublish', 'on_dvr', 'on_hls'])('%s is answered on purpose', (action) => {
    expect(srs.parse(posted({ ...ASKED, action, stream: undefined }))).toEqual({
      kind: 'answered',
      answer: CODE_0,
    });
  });

  const text = JSON.stringify(ASKED);
  it.each<[string, unknown]>([
    ['the body is no JSON', ''],
    ['the body is no JSON', 'action=on_play&client_id=1'],
    ['the body is no JSON', '['.repeat(65_536)],
    ['the body is no JSON object', '0'],
    ['the body is no JSON object', [ASKED]],
    ['the body is no JSON object', 'null'],
    ['action is none of on_play, on_publish, on_stop and those that tell what has happened', {}],
    [
      'action is none of on_play, on_publish, on_stop and those that tell what has happened',
      { ...ASKED, action: 'on_forward' },
    ],
    ['action is no text', { ...ASKED, action: ['on_play'] }],
    ['client_id is missing', { ...ASKED, client_id: '' }],
    ['client_id is missing', { ...ASKED, client_id: null, action: 'on_stop' }],
    ['client_id is no text', { ...ASKED, client_id: 1.5 }],
    ['client_id is no text', { ...ASKED, client_id: { id: 1 } }],
    ['client_id is longer than 256 bytes', { ...ASKED, client_id: 'x'.repeat(257) }],
    ['ip is no text', { ...ASKED, ip: 1 }],
    ['app is no text', { ...ASKED, app: {} }],
    ['stream is no text', { ...ASKED, stream: ['livestream'] }],
    ['param is longer than 8192 bytes', { ...ASKED, param: 'x'.repeat(8_193) }],
    ['the application or the stream is not named', { ...ASKED, stream: '' }],
    ['the application or the stream is not named', { ...ASKED, app: undefined }],
    ['the stream’s name is longer than 256 bytes', { ...ASKED, stream: 'x'.repeat(252) }],
    ['the stream’s name has control characters', { ...ASKED, stream: 'a\r\nX-Real-IP: 1' }],
    ['the stream’s name has control characters', { ...ASKED, app: 'a\u0000' }],
    ['a field is there twice', text.replace('"app":', '"ip":"192.0.2.8","app":')],
    ['a field is there twice', text.replace('"app":', '"\\u0069p":"192.0.2.8","app":')],
  ])('is refused with a sentence: %s', (sentence, body) => {
    expect(() => srs.parse(posted(body))).toThrow(new BadRequest(sentence));
  });

  const counted = ({ ip, channel, givenSessionId, action }: EdgeFacts) => ({
    ip,
    channel,
    givenSessionId,
    action,
  });
  /** Words that try to break out. */
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(
        fc.constantFrom(
          '"',
          ',',
          ':',
          '{',
          '}',
          '\\',
          '"ip":"1"',
          '","action":"on_stop',
          '","ip":"1.1.1.1',
          ' ',
        ),
      )
      .map((parts) => parts.join('')),
  );

  it('says who and what, whatever the viewer says', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, (param, tcUrl, pageUrl) => {
        const words = { param: param.slice(0, 1_000), tcUrl, pageUrl: pageUrl.slice(0, 1_000) };
        expect(counted(factsOf({ ...ASKED, ...words }))).toEqual(counted(factsOf(ASKED)));
      }),
    );
  });

  it('says who and what, or is refused, where an old SRS escapes nothing', () => {
    fc.assert(
      fc.property(hostile, hostile, (param, pageUrl) => {
        const { server_id: _, service_id: __, ...old } = ASKED;
        const raw = JSON.stringify({ ...old, param: 'PARAM', pageUrl: 'PAGE' });
        const body = raw.replace('PARAM', () => param).replace('PAGE', () => pageUrl);
        let facts: EdgeFacts;
        try {
          facts = factsOf(body);
        } catch (error) {
          expect(error).toBeInstanceOf(BadRequest);
          return;
        }
        expect(counted(facts)).toEqual(counted(factsOf(ASKED)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('whatever it is, is understood or refused', () => {
    const names = fc.constantFrom(...Object.keys(ASKED));
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.dictionary(names, fc.jsonValue()),
        fc.uint8Array(),
        (any, part, bytes) => {
          for (const body of [any, { ...ASKED, ...part }, Buffer.from(bytes)]) {
            try {
              srs.parse(posted(body));
            } catch (error) {
              expect(error).toBeInstanceOf(BadRequest);
            }
          }
        },
      ),
    );
  });

  it('has a field twice in its outermost object only if it is seen twice there', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const inner = `${JSON.stringify(a)},"b":{"a":${JSON.stringify(b)},"a":[{"b":1}]}`;
        expect(hasFieldTwice(`{"a":${inner}}`)).toBe(false);
        expect(hasFieldTwice(`{"a":${inner},"\\u0061" : 1}`)).toBe(true);
      }),
    );
  });
});

describe('what SRS is told', () => {
  const decision = (part: Partial<Decision>): Decision => ({
    allow: false,
    source: 'backend',
    reason: 'backend-denied',
    ...part,
  });
  const promo = { header: 'Location', address: 'http://promo.example.com/' } as const;
  it.each<[string, Decision, object]>([
    ['an allow', decision({ allow: true, user: 'anna' }), CODE_0],
    ['a denial', decision({ status: 401 }), CODE_1],
    ['nothing of another address', decision({ status: 302, redirect: promo }), CODE_1],
    ['an outage as a denial', decision({ source: 'fail-closed', reason: 'refused-unavailable' }), CODE_1],
    ['our own trouble as a denial', decision({ source: 'overload', reason: 'overload-refused' }), CODE_1],
    ['in mode observe, a failure as a denial', decision({ verbatim: true, status: 502 }), CODE_1],
  ])('%s', (_, given, answer) => {
    expect(srs.render(given, factsOf(ASKED))).toEqual(answer);
  });
});
