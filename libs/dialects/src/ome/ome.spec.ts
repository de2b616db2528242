import { createHmac } from 'node:crypto';
import { configSchema } from '#usher/config';
import type { Decision } from '#usher/domain';
import fc from 'fast-check';
import type { EdgeFacts, EdgeQuestion, EdgeRequest } from '../dialect.js';
import { DIALECTS } from '../registry.js';

const KEY = '1234';
const spoken = (settings: object = {}) =>
  DIALECTS.ome.speak(
    configSchema.parse({ edges: { any: { dialect: 'ome', ome: { secret: KEY, ...settings } } } }).edges[
      'any'
    ]!,
  );
const ome = spoken();

/** As OvenMediaEngine's documentation has it, and the signature that openssl makes of these bytes with the key 1234. */
const DOCUMENTED =
  '{"client":{"address":"10.0.0.5","port":29291,"real_ip":"192.0.2.43","user_agent":"VLC/3"},"request":{"direction":"outgoing","protocol":"llhls","status":"opening","url":"https://live.example.com:3334/app/stream/llhls.m3u8?token=x","time":"2021-05-12T13:45:00.000Z"}}';
const SIGNATURE = 'rq4GuyEmbJsbZwKFf7AZvd7ePFU';
const ASKED = JSON.parse(DOCUMENTED) as { client: object; request: object };

const sign = (body: Buffer | string): string => createHmac('sha1', KEY).update(body).digest('base64url');
const posted = (body: unknown, signature?: string): EdgeRequest => {
  const bytes = Buffer.isBuffer(body)
    ? body
    : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return {
    method: 'POST',
    path: '',
    query: '',
    headers: { 'x-ome-signature': signature ?? sign(bytes) },
    body: bytes,
    remoteAddress: '10.0.0.4',
  };
};
const told = (client: object, request: object = {}) => ({
  client: { ...ASKED.client, ...client },
  request: { ...ASKED.request, ...request },
});
function factsOf(body: unknown, dialect = ome): EdgeFacts {
  const question: EdgeQuestion = dialect.parse(posted(body));
  if (question.kind !== 'check') throw new Error(`it is ${question.kind}`);
  return question.facts;
}
const json = { 'Content-Type': 'application/json' };

describe('what OvenMediaEngine asks', () => {
  it('is read as its documentation has it', () => {
    expect(ome.parse(posted(DOCUMENTED, SIGNATURE))).toEqual({
      kind: 'check',
      facts: {
        givenSessionId: expect.stringMatching(/^[a-z2-7]{26}$/),
        channel: 'app/stream',
        ip: '10.0.0.5',
        path: '/app/stream/llhls.m3u8',
        userAgent: 'VLC/3',
        host: 'live.example.com',
        origin: '',
        query: 'token=x',
        protocol: 'llhls',
      },
    });
  });

  it.each<[string, object, object, Partial<EdgeFacts>]>([
    ['a publisher', {}, { direction: 'incoming', protocol: 'rtmp' }, { action: 'publish', protocol: 'rtmp' }],
    [
      'RTMP, without a file',
      {},
      { url: 'rtmp://live.example.com:1935/app/cam1' },
      { channel: 'app/cam1', path: '/app/cam1', query: '', host: 'live.example.com' },
    ],
    ['SRT', {}, { url: 'srt://10.0.0.9:9999/app/cam1?passphrase=a%2Fb' }, { query: 'passphrase=a%2Fb' }],
    ['an address of IPv6', {}, { url: 'ws://[2001:db8::1]:3333/app/cam1/x' }, { host: '[2001:db8::1]' }],
    [
      'user and password in the url',
      {},
      { url: 'ws://a:b@h:3333/app/cam1' },
      { host: 'h', channel: 'app/cam1' },
    ],
    ['a query with marks', {}, { url: 'ws://h/app/cam1??a=1?b=2' }, { query: '?a=1?b=2' }],
    ['a number sign in the query', {}, { url: 'ws://h/app/cam1?token=a#b' }, { query: 'token=a#b' }],
    [
      'an @ without a colon',
      {},
      { url: 'ws://h/app/cam1?user=a@b' },
      { channel: 'app/cam1', query: 'user=a@b' },
    ],
    ['bytes that end lines', {}, { url: 'ws://h/app/cam1?a=1\r\nX: 1' }, { query: 'a=1%0D%0AX:%201' }],
    ['no player', { user_agent: undefined }, {}, { userAgent: '' }],
    ['no address', { address: undefined }, {}, { ip: '10.0.0.4' }],
    ['fields that are new', { a: [1] }, { new_url: 7 }, { channel: 'app/stream' }],
  ])('about %s is understood', (_, client, request, expected) => {
    expect(factsOf(told(client, request))).toMatchObject(expected);
  });

  /** OvenMediaEngine itself plays `paid` of each (src/projects/base/ovlibrary/url.cpp). */
  it.each([
    'https://h:3334/app/free/llhls.m3u8?x=y://h/app/paid/llhls.m3u8',
    'https://h:3334/app/free/x://h/app/paid/llhls.m3u8',
    'https://h:3334/app/free/llhls.m3u8?x=y@h/app/paid/llhls.m3u8',
    'https://h/app/free/x:y@h/app/paid/llhls.m3u8',
    'https://a:b@h/app/free/llhls.m3u8?x=y@h/app/paid/llhls.m3u8',
    'https://x/app/free/llhls.m3u8?a:b@h/app/paid/llhls.m3u8',
  ])('is refused where it would play something else: %s', (url) => {
    expect(ome.parse(posted(told({}, { url })))).toMatchObject({
      kind: 'answered',
      complaint: 'url may be read in two ways',
    });
  });

  it('is about whom the connection is from, unless a proxy is said to name the viewer', () => {
    const trusting = spoken({ realIp: 'trusted' });
    expect(factsOf(DOCUMENTED, trusting).ip).toBe('192.0.2.43');
    expect(factsOf(told({ real_ip: undefined }), trusting).ip).toBe('10.0.0.5');
  });

  it.each(['incoming', 'outgoing'])('when it closes is no question: %s', (direction) => {
    const { givenSessionId } = factsOf(told({}));
    const closing = told({}, { direction, status: 'closing', new_url: 'ws://h/app/other' });
    const answer = { status: 200, headers: json, body: '{}' };
    expect(ome.parse(posted(closing))).toEqual(
      direction === 'incoming'
        ? { kind: 'answered', answer }
        : { kind: 'ended', sessionIds: [givenSessionId], answer },
    );
  });

  it.each<[string, string, string]>([
    ['none', DOCUMENTED, ''],
    ['that of another body', DOCUMENTED.replace('192.0.2.43', '192.0.2.44'), SIGNATURE],
    ['one with another key', DOCUMENTED, createHmac('sha1', '12345').update(DOCUMENTED).digest('base64url')],
    ['the right one and more', DOCUMENTED, `${SIGNATURE}A`],
    ['part of the right one', DOCUMENTED, SIGNATURE.slice(0, -1)],
    ['bytes of any kind', DOCUMENTED, '\u00ff'.repeat(27)],
    ['that of no JSON', 'nonsense', SIGNATURE],
  ])('is refused and complained of, unread, where the signature is %s', (_, body, signature) => {
    expect(ome.parse(posted(body, signature))).toEqual({
      kind: 'answered',
      answer: {
        status: 200,
        headers: json,
        body: expect.stringMatching(/^\{"allowed":false,"reason":"Usher: .+"\}$/),
      },
      complaint: expect.stringContaining('edges.<name>.ome.secret'),
    });
  });

  it('is refused at once where the signature is as long as headers may be', () => {
    const signature = `${'='.repeat(200_000)}x`;
    const started = performance.now();
    expect(ome.parse(posted(DOCUMENTED, signature))).toMatchObject({ kind: 'answered' });
    // A second look at each byte for each byte would take a minute.
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it('is read with a padded signature too', () => {
    expect(ome.parse(posted(DOCUMENTED, `${SIGNATURE}=`))).toMatchObject({ kind: 'check' });
  });

  it('is refused and complained of where no key is configured, whatever it is signed with', () => {
    const keyless = DIALECTS.ome.speak(configSchema.parse({ edges: { any: {} } }).edges['any']!);
    const signature = createHmac('sha1', '').update(DOCUMENTED).digest('base64url');
    expect(keyless.parse(posted(DOCUMENTED, signature))).toMatchObject({
      kind: 'answered',
      answer: { body: expect.stringContaining('"allowed":false') },
      complaint: expect.stringContaining('is not set'),
    });
  });

  it.each<[string, unknown]>([
    ['the body is no JSON', ''],
    ['the body is no JSON', '['.repeat(65_536)],
    ['the body is no JSON object', [ASKED]],
    ['client is no object', { request: ASKED.request }],
    ['client is no object', { ...ASKED, client: [] }],
    ['request is no object', { ...ASKED, request: 'opening' }],
    ['direction is none of outgoing, incoming', told({}, { direction: 'sideways' })],
    ['direction is no text', told({}, { direction: ['outgoing'] })],
    ['status is none of opening, closing', told({}, { status: '' })],
    ['port is no number of a port', told({ port: '29291' })],
    ['port is no number of a port', told({ port: 65_536 })],
    ['port is no number of a port', told({ port: undefined }, { status: 'closing' })],
    ['address is no text', told({ address: 1 })],
    ['url names no application and stream', told({}, { url: 'https://h/app' })],
    ['url names no application and stream', told({}, { url: 'https://h//stream' })],
    ['url names no application and stream', told({}, { url: '/app/stream' })],
    ['url is no text', told({}, { url: { a: 1 } })],
    ['url is longer than 8192 bytes', told({}, { url: `ws://h/app/cam1?${'x'.repeat(8_192)}` })],
    ['the stream’s name is longer than 256 bytes', told({}, { url: `ws://h/app/${'x'.repeat(253)}` })],
    ['the stream’s name has control characters', told({}, { url: 'ws://h/app/a\u0000b' })],
  ])('is refused in its language, and complained of: %s', (complaint, body) => {
    expect(ome.parse(posted(body))).toEqual({
      kind: 'answered',
      answer: {
        status: 200,
        headers: json,
        body: JSON.stringify({ allowed: false, reason: `Usher: ${complaint}` }),
      },
      complaint,
    });
  });

  it('is completed by the stream of a player’s path', () => {
    const facts = factsOf(DOCUMENTED);
    expect(ome.complete?.({ ...facts, channel: '' })).toEqual(facts);
    expect(ome.complete?.({ ...facts, path: '' })).toEqual({ ...facts, path: '' });
  });

  const counted = ({ ip, channel, givenSessionId, action }: EdgeFacts) => ({
    ip,
    channel,
    givenSessionId,
    action,
  });

  it('says who and what, whatever the viewer’s headers say', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (real_ip, user_agent) => {
        expect(counted(factsOf(told({ real_ip, user_agent })))).toEqual(counted(factsOf(told({}))));
      }),
    );
  });

  it('is about one’s own session alone, and the channel of the path, whatever the query says', () => {
    const words = fc.string({ unit: 'binary' }).filter((text) => !text.includes('#'));
    fc.assert(
      fc.property(words, words, (mine, others) => {
        const ask = (query: string, port: number): EdgeFacts =>
          factsOf(told({ port }, { url: `ws://h:1/app/cam1?${query}` }));
        const facts = ask(mine, 1);
        expect(facts).toMatchObject({ ip: '10.0.0.5', channel: 'app/cam1', path: '/app/cam1' });
        expect(facts.givenSessionId).toBe(ask(mine, 1).givenSessionId);
        expect(facts.givenSessionId).not.toBe(ask(others, 2).givenSessionId);
      }),
    );
  });

  it('whatever it is, is understood or refused', () => {
    const part = fc.dictionary(
      fc.constantFrom(...Object.keys({ ...ASKED.client, ...ASKED.request })),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.jsonValue(), part, fc.uint8Array(), (any, changed, bytes) => {
        for (const body of [any, told(changed, changed), Buffer.from(bytes)]) {
          expect(['check', 'ended', 'answered']).toContain(ome.parse(posted(body)).kind);
        }
      }),
    );
  });
});

describe('what OvenMediaEngine is told', () => {
  const decision = (part: Partial<Decision>): Decision => ({
    allow: false,
    source: 'backend',
    reason: 'backend-denied',
    ...part,
  });
  const allow = (part: Partial<Decision> = {}): Decision =>
    decision({ allow: true, reason: 'backend-allowed', ...part });
  const promo = { header: 'Location', address: 'http://promo.example.com/' } as const;
  const denied = '{"allowed":false,"reason":"The backend refused this viewer."}';

  it.each<[string, Decision, string | RegExp]>([
    ['an allow', allow({ user: 'anna' }), '{"allowed":true}'],
    ['an allow until a time', allow({ edgeTtl: 36_000 }), '{"allowed":true,"lifetime":36000000}'],
    ['a denial and why', decision({ status: 401 }), denied],
    ['nothing of another address', decision({ status: 302, redirect: promo }), denied],
    [
      'an outage as a denial',
      decision({ source: 'fail-closed', reason: 'refused-unavailable' }),
      /^\{"allowed":false,"reason":"The backend cannot be asked/,
    ],
    ['in mode observe, a failure as a denial', decision({ verbatim: true, status: 502 }), denied],
  ])('%s', (_, given, body) => {
    const answer = ome.render(given, factsOf(ASKED));
    expect(answer).toEqual({ status: 200, headers: json, body: expect.any(String) });
    if (typeof body === 'string') expect(answer.body).toBe(body);
    else expect(answer.body).toMatch(body);
  });

  it('no time where the edge is configured so', () => {
    const unlimited = spoken({ lifetime: 'unlimited' });
    expect(unlimited.render(allow({ edgeTtl: 60 }), factsOf(ASKED)).body).toBe('{"allowed":true}');
  });
});
