import { startFakeEdgeApi, startFakeMediaMtx } from '#usher/testing';
import type { EdgeApiReply, FakeEdgeApi, FakeMediaMtxOptions, MediaMtxKind } from '#usher/testing';
import { aSession, patient } from './for-tests.js';
import { MediaMtxCutter } from './mediamtx-cutter.js';

const ID = '7b0d5f3e-2c1a-4c56-9a77-1f2e3d4c5b6a';
const running: FakeEdgeApi[] = [];

async function server(options?: FakeMediaMtxOptions) {
  const mediamtx = await startFakeMediaMtx(options);
  running.push(mediamtx);
  return mediamtx;
}

async function api(reply: EdgeApiReply | ((line: string) => EdgeApiReply)): Promise<FakeEdgeApi> {
  const fake = await startFakeEdgeApi(({ line }) => (typeof reply === 'function' ? reply(line) : reply));
  running.push(fake);
  return fake;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

const session = (sessionId: string) => aSession({ edge: 'mtx', dialect: 'mediamtx', sessionId });
const notFound: EdgeApiReply = { status: 404, body: '{"status":"error","error":"session not found"}' };

describe('a session at a MediaMTX', () => {
  it('is kicked with the id of its question', async () => {
    const mediamtx = await api({ status: 200, body: '{"status":"ok"}' });
    const cutter = new MediaMtxCutter({ url: mediamtx.url, user: 'usher', password: 'pw' });
    expect(await cutter.cut(session(ID), patient)).toEqual({ kind: 'cut' });
    expect(mediamtx.requests).toMatchObject([
      {
        line: `POST /v3/hlssessions/kick/${ID}`,
        body: '',
        headers: { authorization: 'Basic dXNoZXI6cHc=', 'content-length': '0' },
      },
    ]);
  });

  it('is looked for in all its lists, and gone where none has it', async () => {
    const mediamtx = await api(notFound);
    expect(await new MediaMtxCutter(mediamtx).cut(session(ID), patient)).toEqual({ kind: 'gone' });
    expect(mediamtx.requests.map(({ line }) => line)).toEqual([
      `POST /v3/hlssessions/kick/${ID}`,
      `POST /v3/webrtcsessions/kick/${ID}`,
      `POST /v3/rtmpconns/kick/${ID}`,
      `POST /v3/rtmpsconns/kick/${ID}`,
      `POST /v3/srtconns/kick/${ID}`,
      `POST /v3/rtspsessions/kick/${ID}`,
      `POST /v3/rtspssessions/kick/${ID}`,
      `POST /v3/moqsessions/kick/${ID}`,
      `GET /v3/rtspconns/get/${ID}`,
      `GET /v3/rtspsconns/get/${ID}`,
    ]);
  });

  it.each([
    ['webrtc', [`POST /v3/webrtcsessions/kick/${ID}`]],
    ['rtmp', [`POST /v3/rtmpconns/kick/${ID}`, `POST /v3/rtmpsconns/kick/${ID}`]],
    ['rtsp', [`GET /v3/rtspconns/get/${ID}`, `GET /v3/rtspsconns/get/${ID}`]],
    ['constructor', [`POST /v3/hlssessions/kick/${ID}`]],
  ])('is looked for where its protocol %s is first, and then everywhere', async (protocol, first) => {
    const mediamtx = await api(notFound);
    const cutter = new MediaMtxCutter(mediamtx);
    expect(await cutter.cut({ ...session(ID), protocol }, patient)).toEqual({ kind: 'gone' });
    const asked = mediamtx.requests.map(({ line }) => line);
    expect(asked.slice(0, first.length)).toEqual(first);
    expect(new Set(asked).size).toBe(10);
    expect(asked).toHaveLength(10);
  });

  it('that its protocol names is cut with one call', async () => {
    const mediamtx = await server();
    for (const [kind, protocol] of [
      ['webrtcsessions', 'webrtc'],
      ['srtconns', 'srt'],
      ['rtmpconns', 'rtmp'],
    ] as const) {
      const id = mediamtx.play(kind);
      const before = mediamtx.requests.length;
      expect(await new MediaMtxCutter(mediamtx).cut({ ...session(id), protocol }, patient)).toEqual({
        kind: 'cut',
      });
      expect(mediamtx.requests).toHaveLength(before + 1);
    }
  });

  it.each<MediaMtxKind>(['hlssessions', 'webrtcsessions', 'rtmpconns', 'rtmpsconns', 'srtconns'])(
    'is cut among its %s, and nobody else is',
    async (kind) => {
      const mediamtx = await server({ user: 'usher', password: 'pw' });
      const [left, cut] = [mediamtx.play(kind), mediamtx.play(kind)];
      const cutter = new MediaMtxCutter({ url: `${mediamtx.url}/`, user: 'usher', password: 'pw' });
      expect(await cutter.cut(session(cut), patient)).toEqual({ kind: 'cut' });
      expect(mediamtx.playing).toEqual([left]);
      expect(await cutter.cut(session(cut), patient)).toEqual({ kind: 'gone' });
    },
  );

  it.each<[MediaMtxKind, boolean]>([
    ['rtspsessions', true],
    ['rtspssessions', true],
    ['rtspsessions', false],
  ])('of RTSP is found by its connection: %s, session named: %s', async (kind, namesSessions) => {
    const mediamtx = await server({ namesSessions });
    const [left, cut] = [mediamtx.play(kind), mediamtx.play(kind)];
    const cutter = new MediaMtxCutter(mediamtx);
    expect(await cutter.cut(session(cut), patient)).toEqual({ kind: 'cut' });
    expect(mediamtx.playing).toEqual([left]);
  });

  it('is gone where its RTSP connection has no session', async () => {
    const connection: EdgeApiReply = { status: 200, body: `{"id":"${ID}","session":null}` };
    const mediamtx = await api((line) => (line.startsWith('GET') ? connection : notFound));
    expect(await new MediaMtxCutter(mediamtx).cut(session(ID), patient)).toEqual({ kind: 'gone' });
  });

  it('is cut where only some protocols are on', async () => {
    const mediamtx = await server({ kinds: ['srtconns'] });
    const id = mediamtx.play('srtconns');
    expect(await new MediaMtxCutter(mediamtx).cut(session(id), patient)).toEqual({ kind: 'cut' });
    expect(await new MediaMtxCutter(mediamtx).cut(session(id), patient)).toEqual({ kind: 'gone' });
  });

  it('without an id of MediaMTX’s cannot be kicked, and nobody is asked', async () => {
    const mediamtx = await server();
    for (const id of ['', 'abcdefghijklmnopqrstuvwxyz', '../../config/paths/delete/x', `${ID}/..`]) {
      expect(await new MediaMtxCutter(mediamtx).cut(session(id), patient)).toMatchObject({
        kind: 'failed',
        retry: false,
      });
    }
    expect(mediamtx.requests).toEqual([]);
  });

  it.each<[string, EdgeApiReply, RegExp, boolean]>([
    ['a wrong password', { status: 401, body: '{}' }, /status 401: check user and password$/, false],
    ['another server', { status: 404, body: '<html>Not Found' }, /none of MediaMTX’s kick calls/, false],
    ['another path', { status: 404, body: '404 page not found' }, /none of MediaMTX’s kick calls/, false],
    ['a redirect', { status: 301, headers: { location: 'https://h/' } }, /status 301: .* elsewhere/, false],
    ['a refused id', { status: 400, body: '{}' }, /status 400$/, false],
    ['a broken server', { status: 500 }, /status 500$/, true],
    ['garbage', { garbage: '\0\0\0' }, /\/v3: ./, true],
    ['nothing', 'hang', /no answer within 200 ms$/, true],
  ])('is a failure at %s', async (what, reply, detail, retry) => {
    const mediamtx = await api(reply);
    const cutter = new MediaMtxCutter(mediamtx, what === 'nothing' ? { timeout: 200 } : {});
    const result = await cutter.cut(session(ID), patient);
    expect(result).toEqual({ kind: 'failed', detail: expect.stringMatching(detail), retry });
  });
});
