import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  eventually,
  startFakeMediaMtx,
  startFakePortal,
  type FakeMediaMtx,
  type FakePortal,
} from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';
import { foundSession } from '../support/found-session.js';
import { exchange } from '../support/raw-http.js';

const same = (bytes: string): string =>
  bytes
    .replace(/X-Usher-Id: [\w-]+/, 'X-Usher-Id: …')
    .replace(/X-Usher-Source: (backend|direct)/, 'X-Usher-Source: asked')
    .replace(/Date: [^\r]+\r\n/, '');
const answered = (status: string, source = 'asked'): string =>
  `HTTP/1.1 ${status}\r\nX-Usher-Source: ${source}\r\nX-Usher-Id: …\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;

describe('a MediaMTX whose authHTTPAddress is a gateway of ours', () => {
  let portal: FakePortal;
  let mediamtx: FakeMediaMtx;
  let cluster: UsherCluster;

  beforeAll(async () => {
    [portal, mediamtx] = await Promise.all([startFakePortal(), startFakeMediaMtx()]);
    const backend = { type: 'http', url: `${portal.url}/check` };
    const config = {
      edges: { 'mtx-1': { dialect: 'mediamtx', control: { url: mediamtx.url } } },
      backends: { portal: { ...backend, timeout: '20s' } },
      routes: [{ match: { action: 'publish', channel: 'live/*' }, backend: 'portal' }, { backend: 'portal' }],
    };
    cluster = await startCluster(config, ALL_IN_ONE);
  });

  beforeEach(() => {
    portal.byToken({ bad: (_, response) => response.writeHead(401).end() }, (_, response) =>
      response.writeHead(200, { 'X-UserId': 'anna' }).end(),
    );
    portal.requests.length = 0;
    mediamtx.requests.length = 0;
  });

  afterAll(async () => {
    await cluster?.stop();
    await Promise.all([portal?.stop(), mediamtx?.stop()]);
  });

  const posted = (body: string, word = 'mediamtx'): Promise<string> => {
    const head = `POST /e/mtx-1/${word} HTTP/1.1\r\nHost: usher\r\nContent-Type: application/json\r\n`;
    const bytes = `${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
    return exchange(cluster.gateway.port, Buffer.from(bytes).toString('latin1'));
  };
  const ASKED = {
    ip: '192.0.2.7',
    user: '',
    password: '',
    token: '',
    action: 'read',
    path: 'live/cam1',
    protocol: 'hls',
    id: null as string | null,
    query: '',
    userAgent: 'VLC/3',
  };
  const ask = (part: Partial<typeof ASKED>): Promise<string> => posted(JSON.stringify({ ...ASKED, ...part }));

  it('is told who may play, in a status; the backend got the viewer’s query byte for byte', async () => {
    const id = mediamtx.play('hlssessions');
    expect(same(await ask({ id, query: 'x=%C3%A9%zz&&token=1' }))).toBe(answered('200 OK'));
    expect(portal.requests).toMatchObject([{ method: 'GET', url: '/check?x=%C3%A9%zz&&token=1' }]);
    expect(portal.requests[0]!.headers).toMatchObject({
      'x-session-id': id,
      'x-channel-id': 'live/cam1',
      'x-real-ip': '192.0.2.7',
      'x-real-path': '/live/cam1',
    });
    expect(same(await ask({ query: 'token=bad', ip: '192.0.2.8' }))).toBe(answered('403 Forbidden'));
  });

  it('is told to ask a player that showed nothing, and no backend is asked before it did', async () => {
    const id = mediamtx.play('rtspsessions');
    const rtsp = { id, protocol: 'rtsp', ip: '192.0.2.9' };
    expect(same(await ask(rtsp))).toBe(answered('401 Unauthorized', 'rule'));
    expect(portal.requests).toEqual([]);
    expect(same(await ask({ ...rtsp, password: 'p/1', token: 'p/1' }))).toBe(answered('200 OK'));
    expect(portal.requests).toMatchObject([{ url: '/check?token=p%2F1' }]);
  });

  it('is answered within a second by a backend that hangs: another player waits behind it', async () => {
    portal.hang();
    const started = performance.now();
    const answer = await ask({ query: 'token=slow', ip: '192.0.2.10' });
    expect(answer).toMatch(/^HTTP\/1.1 (200 OK|403 Forbidden)\r\nX-Usher-Source: (fail-open|overload)\r\n/);
    expect(performance.now() - started).toBeLessThan(1_900);
  });

  it('is told who may publish by the same address', async () => {
    const publish = { action: 'publish', protocol: 'rtmp', id: mediamtx.play('rtmpconns') };
    expect(same(await ask({ ...publish, user: 'studio', password: 'pw', token: 'pw' }))).toBe(
      answered('200 OK'),
    );
    expect(portal.requests[0]!.headers).toMatchObject({ 'x-usher-action': 'publish' });
    expect(same(await ask({ ...publish, path: 'other', query: 'token=1' }))).toBe(
      answered('403 Forbidden', 'rule'),
    );
  });

  it.each<[string, string, number]>([
    ['its own API', JSON.stringify({ ...ASKED, action: 'api' }), 401],
    ['no JSON', 'action=read', 400],
    ['another type', JSON.stringify({ ...ASKED, path: ['a'] }), 400],
    ['nothing', '', 400],
    ['more than 64 KiB', JSON.stringify({ ...ASKED, query: 'x'.repeat(70_000) }), 413],
    ['many brackets', '['.repeat(60_000), 400],
  ])('is refused with a reason where it sends %s', async (_, body, status) => {
    expect(await posted(body)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(portal.requests).toEqual([]);
  });

  it('is told to cut whom an operator kicks, in the list of his protocol', async () => {
    const id = mediamtx.play('webrtcsessions');
    expect(await ask({ id, protocol: 'webrtc', query: 'token=k1', ip: '192.0.2.11' })).toMatch(
      /^HTTP\/1.1 200/,
    );
    await eventually(async () => (await foundSession(cluster.redis, id, 'mtx-1')) !== undefined);
    const [, address] = /operators: (http:\/\/[\d.:]+)/.exec(cluster.control.output())!;
    const token = (await readFile(join(cluster.control.data, 'admin-token'), 'utf8')).trim();
    await fetch(`${address}/api/v1/kicks`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ session: { edge: 'mtx-1', id }, reason: 'a test' }),
    });
    await eventually(() => expect(mediamtx.playing).not.toContain(id), { withinMs: 15_000 });
    expect(mediamtx.requests.map(({ line }) => line)).toEqual([`POST /v3/webrtcsessions/kick/${id}`]);
  });
});
