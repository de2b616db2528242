import type { Session } from '#usher/domain';
import { ManualClock, startFakeAstra, startFakeEdgeApi, startFakePortal } from '#usher/testing';
import type { EdgeApiReply, EdgeApiRequest, FakeEdgeApi } from '#usher/testing';
import { AstraCutter } from './astra-cutter.js';
import { aSession, OPENED_AT, patient } from './for-tests.js';

let astra: FakeEdgeApi;
const clock = new ManualClock(OPENED_AT + 60_000);
const nobody = (): Promise<Session | undefined> => Promise.resolve(undefined);

/** As Astra's documentation shows it. */
const line = (id: string, facts = '', addr = '192.0.2.7', uptime = 60): string =>
  `{"client_id":"${id}","channel_id":"a001","channel_name":"One","addr":"${addr}","uptime":${uptime}${facts}}`;
const list = (...lines: string[]): EdgeApiReply => ({
  status: 200,
  body: `{"sessions":[${lines.join(',')}]}`,
});

/** Answers one request after the other. */
function script(...replies: EdgeApiReply[]): (request: EdgeApiRequest) => EdgeApiReply {
  const left = [...replies];
  return () => left.shift() ?? { status: 500, body: 'asked too often' };
}

beforeEach(async () => {
  astra = await startFakeEdgeApi(() => 'hang');
});
afterEach(() => astra.stop());

function cutter(parts: Partial<ConstructorParameters<typeof AstraCutter>[1]> = {}): AstraCutter {
  const api = { url: astra.url, user: 'usher', password: 'p:w' };
  return new AstraCutter(api, { clock, read: nobody, timeout: 5_000, ...parts });
}

describe('a session at an Astra', () => {
  it('is cut with the id of Astra’s list, and looked for afterwards', async () => {
    astra.reply = script(list(line('41', '', '192.0.2.8'), line('42')), { status: 200, body: '{}' }, list());
    expect(await cutter().cut(aSession(), patient)).toEqual({ kind: 'cut' });
    expect(astra.requests.map(({ line, body }) => [line, body])).toEqual([
      ['POST /control/', '{"cmd":"sessions"}'],
      ['POST /control/', '{"cmd":"close-session","id":"42"}'],
      ['POST /control/', '{"cmd":"sessions"}'],
    ]);
    for (const { headers } of astra.requests) {
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        authorization: 'Basic dXNoZXI6cDp3',
        host: astra.url.slice('http://'.length),
      });
    }
  });

  it('is gone where the list does not name it: nothing is closed', async () => {
    astra.reply = script(list(line('41', '', '192.0.2.8')));
    expect(await cutter().cut(aSession(), patient)).toEqual({ kind: 'gone' });
    expect(astra.requests).toHaveLength(1);
  });

  it('is gone where its id is another viewer’s now', async () => {
    astra.reply = script(list(line('42', '', '198.51.100.1', 5)));
    expect(await cutter().cut(aSession(), patient)).toEqual({ kind: 'gone' });
  });

  it('is found by channel, address and start where Astra lists ids of its own', async () => {
    const later = line('c7', '', '192.0.2.7', 5);
    astra.reply = script(
      list(later, line('c8', '', '192.0.2.7', 59)),
      { status: 200, body: '{}' },
      list(later),
    );
    expect(await cutter().cut(aSession(), patient)).toEqual({ kind: 'cut' });
    expect(astra.requests[1]!.body).toBe('{"cmd":"close-session","id":"c8"}');
  });

  it('is never another one of ours that began beside it', async () => {
    astra.reply = script(list(line('43')));
    const read = (): Promise<Session> => Promise.resolve(aSession({ sessionId: '43', fingerprint: 'f43' }));
    expect(await cutter({ read }).cut(aSession(), patient)).toEqual({ kind: 'gone' });
    expect(astra.requests).toHaveLength(1);
  });

  it('is not cut where two may be it', async () => {
    astra.reply = script(list(line('c7'), line('c8')));
    expect(await cutter().cut(aSession(), patient)).toEqual({
      kind: 'failed',
      detail: `${astra.url}/control/: two of its sessions may be this one`,
      retry: false,
    });
    expect(astra.requests).toHaveLength(1);
  });

  it('has failed for now where it plays on', async () => {
    astra.reply = script(list(line('42')), { status: 200, body: '{}' }, list(line('42')));
    expect(await cutter().cut(aSession(), patient)).toMatchObject({ kind: 'failed', retry: true });
  });

  it.each<[string, EdgeApiReply, RegExp, boolean]>([
    ['a wrong password', { status: 401 }, /status 401: check user and password$/, false],
    ['a redirect', { status: 302, headers: { location: '/' } }, /status 302: it sends us elsewhere/, false],
    ['no such address', { status: 404, body: 'not found' }, /status 404$/, false],
    ['a broken server', { status: 500 }, /status 500$/, true],
    ['a page', { status: 200, body: '<html>' }, /no session list$/, true],
    ['something else', { status: 200, body: '{"error":"x"}' }, /no session list$/, true],
    ['garbage', { garbage: 'SSH-2.0-OpenSSH_9.6\r\n\r\n' }, /\/control\/: ./, true],
    ['a reset', 'reset', /\/control\/: ./, true],
    ['nothing', 'hang', /no answer within 200 ms$/, true],
  ])('is a failure at %s, told without credentials', async (what, reply, detail, retry) => {
    astra.reply = () => reply;
    const result = await cutter(what === 'nothing' ? { timeout: 200 } : {}).cut(aSession(), patient);
    expect(result).toEqual({ kind: 'failed', detail: expect.stringMatching(detail), retry });
    expect(JSON.stringify(result)).not.toMatch(/p:w|dXNoZXI/);
    expect(astra.requests).toHaveLength(1);
  });

  it('is not asked about for longer than somebody wants', async () => {
    const ending = new AbortController();
    astra.reply = () => {
      ending.abort();
      return 'hang';
    };
    expect(await cutter().cut(aSession(), ending.signal)).toEqual({
      kind: 'failed',
      detail: `${astra.url}/control/: ended before it answered`,
      retry: true,
    });
  });

  it('is one of a page, whose list is read once before and once after, each with its own result', async () => {
    const before = list(line('41'), line('42', '', '192.0.2.8'), line('43', '', '192.0.2.9'), line('c8'));
    astra.reply = ({ body }) => {
      if (body === '{"cmd":"sessions"}')
        return astra.requests.length === 1 ? before : list(line('43', '', '192.0.2.9'));
      return body.includes('"42"') ? { status: 404 } : { status: 200, body: '{}' };
    };
    const sessions = ['41', '42', '43', '44'].map((sessionId, n) =>
      aSession({ sessionId, ip: `192.0.2.${n === 3 ? 99 : 7 + n}` }),
    );
    expect(await cutter().cutAll(sessions, patient)).toEqual([
      { kind: 'cut' },
      { kind: 'gone' },
      {
        kind: 'failed',
        detail: `${astra.url}/control/: told to close the session, it lists it still`,
        retry: true,
      },
      { kind: 'gone' },
    ]);
    expect(astra.requests).toHaveLength(5);
  });

  it('is as it was, with all of its page, where the list cannot be had', async () => {
    astra.reply = () => ({ status: 500 });
    const results = await cutter().cutAll([aSession(), aSession({ sessionId: '43' })], patient);
    expect(results).toMatchObject([
      { kind: 'failed', retry: true },
      { kind: 'failed', retry: true },
    ]);
    expect(astra.requests).toHaveLength(1);
  });

  it.each(['x-session-id', 'own'] as const)(
    'is cut on our fake of one, which lists %s',
    async (listedIds) => {
      const auth = await startFakePortal();
      auth.allow();
      const at = new ManualClock(OPENED_AT);
      const options = { auth: auth.url, user: 'usher', password: 'p:w', clock: at, listedIds };
      const fake = await startFakeAstra(options);
      await fake.play({ channel: 'a001', sessionId: '42' });
      await fake.play({ channel: 'a001', sessionId: '43', ip: '192.0.2.8' });
      at.advance(60_000);
      const parts = { clock: at, read: nobody };
      const cutter = new AstraCutter({ url: fake.url, user: 'usher', password: 'p:w' }, parts);
      expect(await cutter.cut(aSession(), patient)).toEqual({ kind: 'cut' });
      expect(fake.sessions.map(({ addr }) => addr)).toEqual(['192.0.2.8']);
      expect(await cutter.cut(aSession(), patient)).toEqual({ kind: 'gone' });
      await fake.stop();
      await auth.stop();
    },
  );
});
