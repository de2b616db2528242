import fc from 'fast-check';
import { startFakeEdgeApi } from '#usher/testing';
import type { EdgeApiReply, FakeEdgeApi } from '#usher/testing';
import type { Session } from '#usher/domain';
import { addressTemplate, bodyTemplate, headerTemplate, UnfitValueError } from './fill-template.js';
import { aSession, patient } from './for-tests.js';
import { HttpCutter } from './http-cutter.js';
import type { CutCall } from './http-cutter.js';

let edge: FakeEdgeApi;

beforeEach(async () => {
  edge = await startFakeEdgeApi(() => ({ status: 200 }));
});
afterEach(() => edge.stop());

function cutter(call: Partial<CutCall> = {}, timeout = 5_000): HttpCutter {
  const plain = { url: `${edge.url}/kick/{session}`, method: 'POST', headers: [], success: [] };
  return new HttpCutter({ ...plain, ...call }, { timeout });
}

const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

describe('a session behind a call of the operator’s own', () => {
  it('is cut as Flussonic wants it', async () => {
    const call = cutter({
      url: `${edge.url}/streamer/api/v3/sessions/{session}`,
      method: 'DELETE',
      user: 'usher',
      password: 'pw',
      success: [204],
    });
    edge.reply = () => ({ status: 204 });
    const sessionId = '6217fd62-16da-4206-9da9-0173d7552a14';
    expect(await call.cut(aSession({ sessionId }), patient)).toEqual({ kind: 'cut' });
    expect(edge.requests).toMatchObject([
      {
        line: `DELETE /streamer/api/v3/sessions/${sessionId}`,
        body: '',
        headers: { authorization: 'Basic dXNoZXI6cHc=' },
      },
    ]);
    expect(edge.requests[0]!.headers).not.toHaveProperty('content-type');
  });

  it('is cut as Nimble wants it: its ids are numbers', async () => {
    const call = cutter({ url: `${edge.url}/manage/sessions/delete`, body: '[{session}]' });
    expect(await call.cut(aSession({ sessionId: '1001' }), patient)).toEqual({ kind: 'cut' });
    expect(edge.requests).toMatchObject([
      {
        line: 'POST /manage/sessions/delete',
        body: '[1001]',
        headers: { 'content-type': 'application/json', 'content-length': '6' },
      },
    ]);
  });

  it('has each of its words escaped for where it stands', async () => {
    const call = cutter({
      url: `${edge.url}/a/{session}/x?c={channel}&u={user}&fixed=%20&ip={ip}`,
      headers: ['X-Session: s={session}; u="{user}"', 'X-Fixed: a, b'],
      body: '{"session": "{session}", "who": {user}, "channel": "<{channel}>", "ip": {ip}}',
    });
    const session = aSession({
      sessionId: '1/../2?x#y%z',
      user: utf8('Ж"\\\n'),
      channel: 'a&b=c d',
      ip: '2001:db8::1',
    });
    expect(await call.cut(session, patient)).toEqual({ kind: 'cut' });
    const [{ line, headers, body }] = edge.requests as [(typeof edge.requests)[0]];
    expect(line).toBe(
      'POST /a/1%2F..%2F2%3Fx%23y%25z/x?c=a%26b%3Dc%20d&u=%D0%96%22%5C%0A&fixed=%20&ip=2001%3Adb8%3A%3A1',
    );
    expect(headers['x-session']).toBe('s=1/../2?x#y%25z; u="%D0%96%22%5C%0A"');
    expect(headers['x-fixed']).toBe('a, b');
    expect(body).toBe(
      '{"session": "1/../2?x#y%z", "who": "Ж\\"\\\\\\n", "channel": "<a&b=c d>", "ip": "2001:db8::1"}',
    );
  });

  it('may be named in a form', async () => {
    const type = 'Content-Type: application/x-www-form-urlencoded; charset=utf-8';
    const call = cutter({ headers: [type], body: 'id={session}&why=kick' });
    await call.cut(aSession({ sessionId: 'a b&id=2' }), patient);
    expect(edge.requests[0]).toMatchObject({
      body: 'id=a%20b%26id%3D2&why=kick',
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    });
  });

  it.each<[string, Partial<CutCall>, Partial<Session>, RegExp]>([
    ['has no user', { url: 'http://h/{session}/{user}' }, { user: '' }, /it has no \{user\}$/],
    ['has no channel', { body: '{"c": "{channel}"}' }, { channel: '' }, /it has no \{channel\}$/],
    ['would lead elsewhere', {}, { sessionId: '..' }, /its \{session\} is "\.\."/],
  ])('that %s is not asked for, lest everybody is meant', async (_, call, facts, detail) => {
    const result = await cutter(call).cut(aSession(facts), patient);
    expect(result).toEqual({ kind: 'failed', detail: expect.stringMatching(detail), retry: false });
    expect(edge.requests).toEqual([]);
  });

  it.each<[EdgeApiReply, readonly number[], unknown]>([
    [{ status: 200 }, [], { kind: 'cut' }],
    [{ status: 204 }, [], { kind: 'cut' }],
    [{ status: 404 }, [], { kind: 'gone' }],
    [{ status: 410 }, [], { kind: 'gone' }],
    [{ status: 404 }, [404], { kind: 'cut' }],
    [{ status: 302, headers: { location: '/' } }, [302], { kind: 'cut' }],
    [{ status: 200 }, [204], { kind: 'failed', detail: 'U/kick/{session}: status 200', retry: true }],
    [{ status: 429 }, [], { kind: 'failed', detail: 'U/kick/{session}: status 429', retry: true }],
    [{ status: 503 }, [], { kind: 'failed', detail: 'U/kick/{session}: status 503', retry: true }],
    [{ status: 400 }, [], { kind: 'failed', detail: 'U/kick/{session}: status 400', retry: false }],
    [
      { status: 401 },
      [],
      { kind: 'failed', detail: 'U/kick/{session}: status 401: check user and password', retry: false },
    ],
    [
      { status: 307, headers: { location: '/' } },
      [],
      {
        kind: 'failed',
        detail: 'U/kick/{session}: status 307: it sends us elsewhere; say where it really is',
        retry: false,
      },
    ],
  ])('answered with %j where %j is success', async (reply, success, expected) => {
    edge.reply = () => reply;
    const result = JSON.stringify(await cutter({ success }).cut(aSession(), patient));
    expect(JSON.parse(result.replaceAll(edge.url, 'U'))).toEqual(expected);
    expect(edge.requests).toHaveLength(1);
  });

  it('is a failure that tells no secret when nobody answers', async () => {
    edge.reply = () => 'hang';
    const url = `${edge.url.replace('//', '//usher:hunter2@')}/kick/{session}?key=hunter2`;
    const result = await cutter({ url }, 200).cut(aSession(), patient);
    expect(result).toEqual({
      kind: 'failed',
      detail: `${edge.url}/kick/{session}: no answer within 200 ms`,
      retry: true,
    });
    expect(edge.requests[0]).toMatchObject({
      line: 'POST /kick/42?key=hunter2',
      headers: { authorization: 'Basic dXNoZXI6aHVudGVyMg==' },
    });
  });

  it('is a failure where an address or a template was wrong, at the start', () => {
    expect(() => cutter({ url: 'kick' })).toThrow(/Invalid URL/);
    expect(() => cutter({ body: '{"a": "{b}"}' })).toThrow(/\{b\} is none/);
    expect(() => cutter({ headers: ['Content-Type: text/xml'], body: '{session}' })).toThrow(/text\/xml/);
  });
});

describe('a value of any bytes', () => {
  const bytes = fc
    .uint8Array({ minLength: 1, maxLength: 40 })
    .map((value) => Buffer.from(value).toString('latin1'));
  const filled = (fill: (session: Session) => string, value: string): string | undefined => {
    try {
      return fill(aSession({ sessionId: value }));
    } catch (error) {
      expect(error).toBeInstanceOf(UnfitValueError);
      return undefined;
    }
  };

  it('stays one segment of the path, and one parameter of the query', () => {
    const fill = addressTemplate('http://h/a/{session}/b?c={session}');
    fc.assert(
      fc.property(bytes, (value) => {
        const address = filled(fill, value);
        if (address === undefined) return;
        const { pathname, search, hash, host } = new URL(address);
        const back = pathname.split('/').map(unescape);
        expect([host, back, unescape(search.slice('?c='.length)), hash]).toEqual([
          'h',
          ['', 'a', value, 'b'],
          value,
          '',
        ]);
        expect(search.split('&')).toHaveLength(1);
      }),
    );
  });

  it('stays one value of a JSON body', () => {
    const quoted = bodyTemplate('{"a": "x{session}y"}', 'application/json');
    const bare = bodyTemplate('[{session}]', 'application/json');
    fc.assert(
      fc.property(fc.oneof(bytes, fc.string({ minLength: 1 }).map(utf8)), (value) => {
        const text = filled(quoted, value)!;
        const { a } = JSON.parse(text) as { a: string };
        const list = JSON.parse(filled(bare, value)!) as unknown[];
        expect(a.startsWith('x') && a.endsWith('y')).toBe(true);
        expect(Object.keys(JSON.parse(text) as object)).toEqual(['a']);
        expect(list).toHaveLength(1);
        expect(String(list[0])).toBe(a.slice(1, -1));
      }),
    );
  });

  it('can stand in a header', () => {
    const fill = headerTemplate('a={session}');
    fc.assert(
      fc.property(bytes, (value) => {
        const header = filled(fill, value)!;
        expect(header).toMatch(/^[!-~]+$/);
        expect(unescape(header.slice(2))).toBe(value);
        expect(header).not.toMatch(/[",;\\]/);
      }),
    );
  });
});

/** Percent-encoded bytes as bytes. */
function unescape(text: string): string {
  return text.replaceAll(/%([0-9A-F]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
