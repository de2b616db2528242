import fc from 'fast-check';
import type { Check } from '#usher/domain';
import { aBackend, aCheck, clock } from '../../../test/checks.js';
import { answer, ok, RawPortal } from '../../../test/raw-portal.js';
import type { Adapter, AskOptions } from '../adapter.js';
import { createAdapter } from '../create-adapter.js';

/** Generous: a busy machine still answers within it. */
const TIMEOUT = 5_000;
const UUID = '6217fd62-16da-4206-9da9-0173d7552a14';

let endpoint: RawPortal;
let adapter: Adapter;

beforeEach(async () => {
  endpoint = await RawPortal.start();
  adapter = adapterFor('/auth');
});
afterEach(async () => {
  await adapter.close();
  await endpoint.close();
});

function adapterFor(path: string, settings: Record<string, unknown> = {}): Adapter {
  const config = aBackend({ type: 'flussonic', url: endpoint.url + path, ...settings });
  return createAdapter('portal', config, { clock });
}

async function using(other: Adapter): Promise<void> {
  await adapter.close();
  adapter = other;
}

const ask = (parts: Partial<Check> = {}, options: Partial<AskOptions> = {}) =>
  adapter.ask(aCheck(parts), { timeoutMs: TIMEOUT, ...options });

/** What the endpoint read: each parameter, in its order. */
const asked = (): [string, string][] => {
  const { target } = endpoint.requests.at(-1)!;
  return [...new URLSearchParams(target.slice(target.indexOf('?') + 1))];
};
const field = (name: string): string | undefined => new Map(asked()).get(name);

describe('the question', () => {
  it('is Flussonic’s on_play, to the letter', async () => {
    await ask({
      sessionId: UUID,
      channel: 'cnn',
      ip: '10.77.0.150',
      path: '/cnn/index.m3u8',
      userAgent: 'curl/7.68.0',
      host: 'edge1',
      query: 'token=60334b207baa',
    });
    expect(endpoint.requests[0]!.text.split('\r\n').filter((line) => !/^connection:/i.test(line))).toEqual([
      `GET /auth?name=cnn&proto=hls&ip=10.77.0.150&request_type=new_session&request_number=0&session_id=${UUID}` +
        '&stream_clients=1&total_clients=1&token=60334b207baa&qs=token%3D60334b207baa' +
        '&user_agent=curl%2F7.68.0&host=edge1&dvr=false HTTP/1.1',
      `host: ${endpoint.url.slice('http://'.length)}`,
      'Accept: */*',
      'User-Agent: Usher',
      '',
      '',
    ]);
  });

  it('keeps the address’s own query', async () => {
    await using(adapterFor('/auth?key=a%20b'));
    await ask();
    expect(endpoint.requests[0]!.target).toMatch(/^\/auth\?key=a%20b&name=a001&/);
  });

  it('has no field that nothing is known of, but all that must be there', async () => {
    await ask({ channel: '', ip: '', path: '', userAgent: '', host: '', query: '' });
    expect(asked().map(([name]) => name)).toEqual([
      'name',
      'proto',
      'ip',
      'request_type',
      'request_number',
      'session_id',
      'stream_clients',
      'total_clients',
      'dvr',
    ]);
  });

  it.each<[Partial<Check>, string, string]>([
    [{ path: '/a001/index.m3u8' }, 'proto', 'hls'],
    [{ path: '/a001/index.M3U8?token=1' }, 'proto', 'hls'],
    [{ path: '/a001/manifest.mpd' }, 'proto', 'dash'],
    [{ path: '/a001.ts' }, 'proto', 'mpegts'],
    [{ path: '/a001/mpegts' }, 'proto', 'mpegts'],
    [{ path: '/play/a001' }, 'proto', 'mpegts'],
    [{ path: '' }, 'proto', 'mpegts'],
    [{ path: '/a001/constructor' }, 'proto', 'mpegts'],
    [{ path: '/film.mp4' }, 'proto', 'mp4'],
    [{ path: '/a001/index.m3u8', protocol: 'rtsp' }, 'proto', 'rtsp'],
    [{ channel: 'sport/hd', path: '/x/index.m3u8' }, 'name', 'sport/hd'],
    [{ channel: '', path: '/a001/index.m3u8' }, 'name', 'a001'],
    [{ channel: '', path: '/sport/hd/index.m3u8?a=/b' }, 'name', 'sport/hd'],
    [{ channel: '', path: '/a001/mpegts' }, 'name', 'a001'],
    [{ channel: '', path: '/a%20b.ts' }, 'name', 'a b'],
    [{ channel: '', path: '/play/a001' }, 'name', 'play/a001'],
    [{ channel: '\xd0\x96' }, 'name', 'Ж'],
    [{ query: 'a=1&token=a%2Fb+c%zz' }, 'token', 'a/b+c%zz'],
    [{ query: 'token=1', token: 'apart' }, 'token', 'apart'],
    [{ query: 'a=1&b=%26' }, 'qs', 'a=1&b=%26'],
    [{ dvr: true }, 'dvr', 'true'],
    [{ dvr: false }, 'dvr', 'false'],
    [{ referer: 'http://a/?b&c=d' }, 'referer', 'http://a/?b&c=d'],
  ])('of %j has %s %j', async (parts, name, value) => {
    await ask(parts);
    expect(field(name)).toBe(value);
  });

  it('has the token under its own name, whatever the viewer calls it', async () => {
    await using(adapterFor('/auth', { credentialParameter: 'key' }));
    await ask({ query: 'token=no&key=yes' });
    expect(field('token')).toBe('yes');
  });

  it('of a session that is asked about again is an update', async () => {
    await ask({}, { again: true });
    expect([field('request_type'), field('request_number')]).toEqual(['update_session', '1']);
  });

  it('has a UUID for a session of another server’s: always the same, and nobody else’s', async () => {
    const ids: (string | undefined)[] = [];
    for (const [edge, sessionId] of [
      ['astra-1', '42'],
      ['astra-1', '42'],
      ['astra-14', '2'],
      ['astra-2', '42'],
      ['astra-1', '43'],
    ]) {
      await ask({ edge, sessionId });
      ids.push(field('session_id'));
    }
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(ids[1]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(4);
  });

  it('takes no fact from the viewer, whatever he writes', async () => {
    const hostile =
      'name=other&ip=10.0.0.1&request_type=x&session_id=1&dvr=true&token=1&qs=2&stream_clients=0';
    await ask({ query: hostile, userAgent: 'a&ip=10.0.0.2', host: 'h&name=x#', referer: '?ip=10.0.0.3' });
    expect(asked()).toHaveLength(14);
    expect(Object.fromEntries(asked())).toMatchObject({
      name: 'a001',
      ip: '192.0.2.7',
      request_type: 'new_session',
      stream_clients: '1',
      dvr: 'false',
      token: '1',
      qs: hostile,
      user_agent: 'a&ip=10.0.0.2',
      host: 'h&name=x#',
      referer: '?ip=10.0.0.3',
    });
  });

  it('is one line with each field once, whatever stands in a check', async () => {
    const any = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom('\r', '\n', '\0', '&', '=', '?', '#', '%', '+', ' ', '\ud800', 'é'),
      }),
    );
    const parts = fc.record({
      channel: any,
      ip: any,
      path: any,
      userAgent: any,
      host: any,
      query: any,
      sessionId: any,
      token: any,
      referer: any,
      protocol: any,
    });
    await fc.assert(
      fc.asyncProperty(parts, async (facts) => {
        expect(await ask(facts)).toMatchObject({ kind: 'allow' });
        const { target, text } = endpoint.requests.at(-1)!;
        expect(target).toMatch(/^\/auth\?(?:[\w]+=(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*&?)+$/);
        const names = asked().map(([name]) => name);
        expect(new Set(names).size).toBe(names.length);
        expect(text.split('\r\n')).toHaveLength(7);
      }),
      { numRuns: 200 },
    );
  });

  it('has the operator’s own parameters, in the place of a field of that name', async () => {
    await using(adapterFor('/auth', { params: ['key=a&b', 'name=все', 'dvr=0', 'empty='] }));
    await ask();
    expect(field('key')).toBe('a&b');
    expect(field('empty')).toBe('');
    expect(asked().filter(([name]) => name === 'name' || name === 'dvr')).toEqual([
      ['name', 'все'],
      ['dvr', '0'],
    ]);
  });

  it('is another one for another token, referer or protocol, and for what was recorded; not for another session', () => {
    const base = adapter.questionKey(aCheck());
    for (const parts of [
      { token: 'b' },
      { referer: 'b' },
      { protocol: 'rtmp' },
      { dvr: true },
      { ip: '192.0.2.8' },
    ]) {
      expect(adapter.questionKey(aCheck(parts))).not.toBe(base);
    }
    expect(adapter.questionKey(aCheck({ sessionId: 'b', id: 'b' }))).toBe(base);
  });
});

describe('the answer', () => {
  const FAILED = (reason: string) => ({ kind: 'unavailable', because: 'backend', reason });

  it.each<[string, string, object]>([
    ['200', ok(), { kind: 'allow', user: undefined, authDuration: undefined, unique: undefined }],
    [
      'Flussonic’s headers',
      ok(['X-AuthDuration: 180', 'X-UserId: some-user-id', 'X-Max-Sessions: 3', 'X-Unique: true'], '{}'),
      {
        kind: 'allow',
        user: 'some-user-id',
        sessionName: 'some-user-id',
        authDuration: 180,
        maxSessions: 3,
        unique: true,
      },
    ],
    [
      'Stream Hub’s spelling',
      ok(['X-Auth-Duration: 60', 'X-User-Id: 7']),
      { kind: 'allow', user: '7', authDuration: 60 },
    ],
    ['both spellings', ok(['X-UserId: 7', 'X-User-Id: 8']), { kind: 'allow', user: '7' }],
    ['X-Unique: 1, which is not true', ok(['X-Unique: 1']), { kind: 'allow', unique: false }],
    ['X-Unique: True, which is not true', ok(['X-Unique: True']), { kind: 'allow', unique: false }],
    [
      '302',
      answer('302 Found', ['Location: http://promo.example.com/a']),
      {
        kind: 'deny',
        reason: 'backend-redirected',
        redirect: { header: 'Location', address: 'http://promo.example.com/a' },
      },
    ],
    ['302 to nowhere', answer('302 Found'), FAILED('backend-malformed')],
    ['403', answer('403 No', ['X-AuthDuration: 60']), { kind: 'deny', status: 403 }],
    ['401', answer('401 No'), { kind: 'deny', status: 401 }],
    ['404', answer('404 No'), { kind: 'deny', status: 404 }],
    ['429', answer('429 Slow'), { kind: 'unavailable', because: 'us', reason: 'backend-busy' }],
    ['500', answer('500 Oops'), FAILED('backend-error')],
    ['502', answer('502 Oops'), FAILED('backend-error')],
    ['204', answer('204 Empty'), FAILED('backend-malformed')],
    ['no HTTP', 'Hello?\r\n\r\n', FAILED('backend-malformed')],
  ])('%s', async (_name, bytes, expected) => {
    endpoint.answering = () => bytes;
    expect(await ask()).toMatchObject(expected);
  });

  it('is a failure where none comes in time', async () => {
    endpoint.answering = () => undefined;
    expect(await ask({}, { timeoutMs: 150 })).toMatchObject(FAILED('backend-timeout'));
  });

  it('otherStatus failed: a 404 is a wrong address', async () => {
    await using(adapterFor('/auth', { otherStatus: 'failed' }));
    endpoint.answering = () => answer('404 No');
    expect(await ask()).toMatchObject(FAILED('backend-misconfigured'));
  });

  it('allowWhen: a 200 without the mark is a failure', async () => {
    await using(adapterFor('/auth', { allowWhen: { header: 'X-UserId' } }));
    expect(await ask()).toMatchObject(FAILED('backend-malformed'));
    endpoint.answering = () => ok(['X-UserId: 7']);
    expect(await ask()).toMatchObject({ kind: 'allow', user: '7' });
  });

  it('never shows a token in what it says', async () => {
    for (const bytes of ['Hello?\r\n\r\n', answer('500 s3cret'), answer('403 s3cret'), answer('302 Found')]) {
      endpoint.answering = () => bytes;
      expect(JSON.stringify(await ask({ query: 'token=s3cret' }))).not.toContain('s3cret');
    }
  });
});
