import { configSchema } from '#usher/config';
import type { Decision } from '#usher/domain';
import fc from 'fast-check';
import type { EdgeFacts, EdgeQuestion, EdgeRequest } from '../dialect.js';
import { DIALECTS } from '../registry.js';

const spoken = (settings: object = {}) =>
  DIALECTS['nginx-rtmp'].speak(
    configSchema.parse({ edges: { any: { dialect: 'nginx-rtmp', nginxRtmp: settings } } }).edges['any']!,
  );
const rtmp = spoken();

/** As Debian's module 1.2.2 sends it for an ffmpeg. */
const SESSION =
  'app=live&flashver=LNX%209,0,124,2&swfurl=&tcurl=rtmp://live.example.com:1935/live&pageurl=&addr=192.0.2.7&clientid=4';
const PLAY = `${SESSION}&call=play&name=cam1&start=4294965296&duration=0&reset=0`;
const UPDATE = `${SESSION}&call=update_play&time=2&timestamp=0&name=cam1`;
const PUBLISH = `${SESSION}&call=publish&name=cam1&type=live`;
const CONNECT = `${SESSION.replace('clientid=4', 'epoch=24402369')}&call=connect`;

const posted = (form: string | Buffer): EdgeRequest => ({
  method: 'POST',
  path: '',
  query: 'zone=a',
  headers: {},
  body: Buffer.isBuffer(form) ? form : Buffer.from(form, 'latin1'),
  remoteAddress: '10.0.0.4',
});
const got = (query: string): EdgeRequest => ({ ...posted(''), method: 'GET', query });
function factsOf(request: EdgeRequest | string, dialect = rtmp): EdgeFacts {
  const question: EdgeQuestion = dialect.parse(typeof request === 'string' ? posted(request) : request);
  if (question.kind !== 'check') throw new Error(`it is ${JSON.stringify(question)}`);
  return question.facts;
}
const OK = { status: 200, headers: {} };

describe('what nginx-rtmp asks', () => {
  it('is read as it sends it', () => {
    expect(factsOf(`${PLAY}&token=a+b%20c&x=1`)).toEqual({
      givenSessionId: '4',
      channel: 'live/cam1',
      ip: '192.0.2.7',
      path: '/live/cam1',
      userAgent: 'LNX 9,0,124,2',
      host: 'live.example.com',
      origin: '',
      query: 'token=a+b%20c&x=1',
      referer: '',
      protocol: 'rtmp',
    });
  });

  it('is completed by the stream of a player’s path', () => {
    const facts = factsOf(PLAY);
    expect(rtmp.complete?.({ ...facts, channel: '' })).toEqual(facts);
  });

  it('again is the same question', () => {
    expect(factsOf(`${UPDATE}&token=1`)).toEqual(factsOf(`${PLAY}&token=1`));
  });

  it.each<[string, string, Partial<EdgeFacts>]>([
    ['a publisher', `${PUBLISH}&key=1`, { action: 'publish', channel: 'live/cam1', query: 'key=1' }],
    ['nothing of the viewer’s', PLAY, { query: '' }],
    [
      'a name that had to be escaped',
      PLAY.replace('=cam1', '=a%26call=b%25%20%C3%A9'),
      { channel: 'live/a&call=b% Ã©' },
    ],
    ['a connection by a Unix socket', PLAY.replace('192.0.2.7', 'unix:'), { ip: 'unix:' }],
    ['an address of IPv6', PLAY.replace('192.0.2.7', '2001:db8::7'), { ip: '2001:db8::7' }],
    ['a web page', PLAY.replace('pageurl=', 'pageurl=http://a/%3Fb'), { referer: 'http://a/?b' }],
    ['a player that names no address', PLAY.replace(/tcurl=[^&]*/, 'tcurl='), { host: '' }],
    [
      'names that come again',
      `${PLAY}&call=publish&name=free&addr=1.1.1.1&clientid=9&app=x`,
      {
        channel: 'live/cam1',
        ip: '192.0.2.7',
        givenSessionId: '4',
        query: 'call=publish&name=free&addr=1.1.1.1&clientid=9&app=x',
      },
    ],
    [
      'names that come again, escaped',
      `${PLAY}&%63all=publish&na%6De=free`,
      { query: '%63all=publish&na%6De=free' },
    ],
    ['words that begin with marks', `${PLAY}&?&&=`, { query: '?&&=' }],
    ['bytes that end lines', `${PLAY}&a=1\r\nX: \0`, { query: 'a=1%0D%0AX:%20%00' }],
    ['bytes that are no text', `${PLAY}&a=\u00ff\u00fe`, { query: 'a=\u00ff\u00fe' }],
  ])('about %s is understood', (_, form, expected) => {
    expect(factsOf(form)).toMatchObject(expected);
  });

  it.each([
    ['play_done', `${SESSION}&call=play_done&name=cam1&token=1`],
    ['done, of no stream', `${SESSION}&call=done`],
    ['disconnect', `${SESSION}&call=disconnect&app=live&clientid=5`],
  ])('%s ends the session', (_, form) => {
    expect(rtmp.parse(posted(form))).toEqual({ kind: 'ended', sessionIds: ['4'], answer: OK });
  });

  it.each([
    ['connect', `${CONNECT}&call=play`],
    ['publish_done', `${SESSION}&call=publish_done&name=cam1`],
    ['update_publish', `${SESSION}&call=update_publish&time=2&timestamp=1800&name=cam1`],
    ['update', `${SESSION}&call=update&time=2&timestamp=1800`],
    ['record_done', `${SESSION}&call=record_done&recorder=&name=cam1&path=/tmp/a.flv`],
  ])('%s is answered on purpose', (_, form) => {
    expect(rtmp.parse(posted(form))).toEqual({ kind: 'answered', answer: OK });
  });

  it.each<[string, string | Buffer]>([
    ['app is not in its place', ''],
    ['app is not in its place', '{"app":"live"}'],
    ['app is not in its place', Buffer.alloc(65_536, 0xff)],
    ['app is not in its place', `call=play&${PLAY}`],
    ['flashver is not in its place', 'app=live&call=play&name=cam1'],
    ['swfurl is not in its place', PLAY.replace('&swfurl', '&addr=1.1.1.1&swfurl')],
    ['clientid is not in its place', PLAY.replace('clientid=4', 'nginxid=4')],
    ['call is not in its place', SESSION],
    ['name is not in its place', `${SESSION}&call=play&token=1`],
    ['start is not in its place', `${SESSION}&call=play&name=cam1&token=1`],
    ['name is not in its place', `${SESSION}&call=publish`],
    ['call is none of nginx-rtmp’s', PLAY.replace('call=play', 'call=fly')],
    ['call is none of nginx-rtmp’s', PLAY.replace('call=play', 'call=constructor')],
    ['clientid is no number', PLAY.replace('clientid=4', 'clientid=')],
    ['clientid is no number', PLAY.replace('clientid=4', 'clientid=4%20')],
    ['clientid is no number', PLAY.replace('clientid=4', `clientid=${'4'.repeat(257)}`)],
    ['clientid is no number', CONNECT.replace('call=connect', 'call=play_done')],
    ['the application or the stream is not named', PLAY.replace('name=cam1', 'name=')],
    ['the application or the stream is not named', `${SESSION}&call=update_play&time=2&timestamp=0`],
    ['the stream’s name is longer than 256 bytes', PLAY.replace('cam1', 'x'.repeat(252))],
    ['the stream’s name has control characters', PLAY.replace('cam1', 'a%0D%0Ab')],
    ['the stream’s name has control characters', PLAY.replace('app=live', 'app=a%00')],
    ['a field is longer than 8192 bytes', `${PLAY}&${'x'.repeat(8_193)}`],
    ['a field is longer than 8192 bytes', PLAY.replace('pageurl=', `pageurl=${'x'.repeat(60_000)}`)],
  ])('is refused and complained of: %s', (sentence, form) => {
    const complaint = expect.stringContaining(sentence) as unknown as string;
    expect(rtmp.parse(posted(form))).toEqual({
      kind: 'answered',
      answer: { status: 400, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body: complaint },
      complaint,
    });
  });

  it('with notify_method get is refused, unless the edge is configured so', () => {
    expect(rtmp.parse(got(PLAY))).toMatchObject({
      answer: { status: 400 },
      complaint: expect.stringMatching(/forge/),
    });
    const getting = spoken({ method: 'get' });
    const facts = factsOf(`${PLAY}&token=?app=1`);
    expect(factsOf(got(`${PLAY}&token=?app=1`), getting)).toEqual(facts);
    expect(factsOf(got(`zone=a?${PLAY}&token=?app=1`), getting)).toEqual(facts);
    expect(factsOf(`${PLAY}&token=?app=1`, getting)).toEqual(facts);
  });

  const counted = ({ ip, channel, path, givenSessionId, action }: EdgeFacts) => ({
    ip,
    channel,
    path,
    givenSessionId,
    action,
  });
  const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
  /** Words that try to be fields. */
  const hostile = fc
    .array(
      fc.oneof(
        byte,
        fc.constantFrom('&', '=', '?', '%', 'call=publish', '&name=free', '&addr=1.1.1.1', 'clientid=9'),
      ),
    )
    .map((parts) => parts.join(''));
  /** ngx_escape_uri with NGX_ESCAPE_ARGS. */
  const escaped = (text: string): string =>
    text.replace(
      /[^!-~]|[#%&+?]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    );

  it.each([PLAY, UPDATE, PUBLISH])('says who and what, whatever the viewer says: %#', (form) => {
    const plain = counted(factsOf(form));
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, (args, flashver, tcurl, pageurl) => {
        const said = form
          .replace(/flashver=[^&]*/, () => `flashver=${escaped(flashver)}`)
          .replace(/tcurl=[^&]*/, () => `tcurl=${escaped(tcurl)}`)
          .replace(/pageurl=[^&]*/, () => `pageurl=${escaped(pageurl)}`);
        const facts = factsOf(`${said}&${args}`);
        expect(counted(facts)).toEqual(plain);
        expect(facts).toMatchObject({ userAgent: flashver, referer: pageurl });
        // Byte for byte, but for what cannot stand in a request line.
        expect(facts.query.replace(/%(0[0-9A-F]|1[0-9A-F]|20|7F)/g, '~')).toBe(
          // oxlint-disable-next-line no-control-regex -- control characters are what is escaped
          args.replace(/[\u0000-\u0020\u007f]|%(0[0-9A-F]|1[0-9A-F]|20|7F)/g, '~'),
        );
      }),
    );
  });

  it('whatever it is, is understood or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.nat(PLAY.length), (bytes, at) => {
        for (const form of [Buffer.from(bytes), Buffer.concat([Buffer.from(PLAY.slice(0, at)), bytes])]) {
          expect(['check', 'ended', 'answered']).toContain(rtmp.parse(posted(form)).kind);
        }
      }),
    );
  });
});

describe('what nginx-rtmp is told', () => {
  const decision = (part: Partial<Decision>): Decision => ({
    allow: false,
    source: 'backend',
    reason: 'backend-denied',
    ...part,
  });
  const promo = { header: 'Location', address: 'rtmp://promo.example.com/live/promo' } as const;
  it.each<[string, Decision, number]>([
    ['an allow', decision({ allow: true, user: 'anna' }), 200],
    ['a denial', decision({ status: 401 }), 403],
    ['nothing of another address: it would play that', decision({ status: 302, redirect: promo }), 403],
    ['an outage as a denial', decision({ source: 'fail-closed', reason: 'refused-unavailable' }), 403],
    ['our own trouble as a denial', decision({ source: 'overload', reason: 'overload-refused' }), 403],
    ['in mode observe, no way to elsewhere', decision({ verbatim: true, status: 302, redirect: promo }), 403],
  ])('%s', (_, given, status) => {
    expect(rtmp.render(given, factsOf(PLAY))).toEqual({ status, headers: {} });
  });
});
