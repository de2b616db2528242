import { createServer, type Server } from 'node:http';
import { connect } from 'node:http2';
import { once } from 'node:events';
import { eventually, freePort, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { operatorsOf } from '../support/edge-questions.js';
import { get, startUsher, type CheckReply, type UsherProcess } from '../support/usher-process.js';
import { blocksIn } from './support/documented.js';
import { documentedHaproxy, missingForHaproxy, startHaproxy, type Haproxy } from './support/haproxy.js';

const [, LETS_IN = ''] = blocksIn('docs/dialects/forward.md', 'haproxy');
const DENY = / *http-request deny deny_status 403 .*\n/;
const MEDIA = 'a segment';

const missing = missingForHaproxy();
// Said, or it would look as if all were well.
if (missing !== undefined) it.todo(`HAProxy was not tried: there is no ${missing} here`);
const real = missing === undefined ? describe : describe.skip;

interface Viewer {
  readonly from?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
}

/** HAProxy as documented, with two gateways, a worker and control behind it. */
real('HAProxy with usher.lua, as documented,', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let control: UsherProcess;
  let operators: (path: string, body: unknown) => Promise<Response>;
  let origin: Server;
  /** What the origin was told of the viewer. */
  const users: (string | string[] | undefined)[] = [];
  let haproxy: Haproxy;
  /** It lets everybody in while no gateway answers. */
  let open: Haproxy;
  let [live, overHttp2, openLive] = [0, 0, 0];

  beforeAll(async () => {
    portal = await startFakePortal();
    // A token is `<user>-<channel>`.
    portal.behave(({ url = '', headers }, response) => {
      const token = new URL(url, 'http://portal').searchParams.get('token') ?? '';
      const [user = '', right = ''] = token.split('-');
      if (right === 'promo') response.writeHead(302, { Location: 'http://promo.example.com/' }).end();
      else if (right === headers['x-channel-id']) response.writeHead(200, { 'X-UserId': user }).end();
      else response.writeHead(token === '' ? 401 : 403).end();
    });
    origin = createServer((request, response) => {
      users.push(request.headers['x-userid']);
      response.end(MEDIA);
    }).listen(0, '127.0.0.1');
    await once(origin, 'listening');
    const config = {
      edges: {
        'haproxy-1': { dialect: 'forward', forward: { proxy: 'haproxy', paths: ['/live/{channel}/**'] } },
      },
      backends: {
        portal: { type: 'http', url: `${portal.url}/check`, failMode: 'closed', credential: 'reusable' },
      },
    };
    cluster = await startCluster(config, { gateways: 2 });
    control = await startUsher('control', { ...config, redis: { url: cluster.redis.url, timeout: '250ms' } });
    operators = await operatorsOf(control);
    const [one, two] = cluster.gateways.map(({ port }) => port);
    const configured = async (port: number): Promise<string> =>
      documentedHaproxy({
        live: port,
        questions: await freePort(),
        gateways: [one!, two!],
        origin: (origin.address() as { port: number }).port,
      });
    [live, overHttp2, openLive] = [await freePort(), await freePort(), await freePort()];
    const bind = `bind 127.0.0.1:${live}`;
    haproxy = await startHaproxy(
      (await configured(live)).replace(bind, `${bind}\n    bind 127.0.0.1:${overHttp2} proto h2`),
      live,
    );
    open = await startHaproxy((await configured(openLive)).replace(DENY, `${LETS_IN}\n`), openLive);
  });

  afterAll(async () => {
    await haproxy?.stop();
    await open?.stop();
    origin?.close();
    await control?.end('SIGKILL');
    await cluster?.stop();
    await portal?.stop();
  });

  beforeEach(() => {
    portal.requests.length = 0;
    users.length = 0;
  });

  const at = (port: number, path: string, { from = '127.0.0.1', headers, method }: Viewer = {}) =>
    get(
      port,
      path,
      { 'User-Agent': 'VLC/3', Host: 'live.example.com', ...headers },
      { localAddress: from, method },
    );
  const play = (path: string, viewer?: Viewer): Promise<CheckReply> => at(live, path, viewer);

  it('lets in whom the backend allows, and nobody else', async () => {
    const viewer = { from: '127.1.1.1' };
    expect(await play('/live/sport1/index.m3u8?token=anna-sport1', viewer)).toMatchObject({
      status: 200,
      body: MEDIA,
    });
    expect(users).toEqual(['anna']);
    expect(await play('/live/film1/index.m3u8?token=anna-sport1', viewer)).toMatchObject({ status: 403 });
    expect(await play('/live/sport1/index.m3u8', { from: '127.1.1.2' })).toMatchObject({ status: 401 });
    expect(portal.requests[0]).toMatchObject({
      url: '/check?token=anna-sport1',
      headers: {
        'x-channel-id': 'sport1',
        'x-real-ip': '127.1.1.1',
        'x-real-path': '/live/sport1',
        'x-real-host': 'live.example.com',
        'x-real-ua': 'VLC/3',
      },
    });
    expect(users).toEqual(['anna']);
  });

  it('plays a whole stream with a token in the playlist alone, and asks the backend once', async () => {
    const viewer = { from: '127.1.2.1' };
    expect(await play('/live/sport1/index.m3u8?token=bob-sport1', viewer)).toMatchObject({ status: 200 });
    // Of the other gateway too, once it was told.
    await eventually(async () => {
      for (let n = 1; n <= 6; n += 1) {
        expect(await play(`/live/sport1/seg-${n}.ts`, viewer)).toMatchObject({ status: 200 });
      }
    });
    expect(portal.requests.filter(({ url }) => url.includes('bob'))).toHaveLength(1);
    expect(await play('/live/sport1/seg-1.ts', { from: '127.1.2.2' })).toMatchObject({ status: 401 });
  });

  it('does not take a viewer’s word for who he is, and what he wants', async () => {
    const owner = { from: '127.1.3.1' };
    expect(await play('/live/sport1/index.m3u8?token=carl-sport1', owner)).toMatchObject({ status: 200 });
    const forgeries: Record<string, string>[] = [
      { 'X-Real-IP': '127.1.3.1', 'X-Original-URI': '/live/sport1/seg-1.ts' },
      { 'X-Original-URI': '/live/sport1/index.m3u8?token=carl-sport1' },
      { 'X-Original-Method': 'OPTIONS' },
      { 'X-Forwarded-For': '127.1.3.1' },
    ];
    for (const headers of forgeries) {
      expect(await play('/live/sport1/seg-1.ts', { from: '127.1.3.2', headers })).toMatchObject({
        status: 401,
      });
    }
    await play('/live/sport1/seg-1.ts?token=dora-sport1', {
      from: '127.1.3.3',
      headers: { 'X-UserId': 'carl' },
    });
    expect(users).toEqual(['carl', 'dora']);
  });

  it('asks about the path of a request by HTTP/2, which comes with scheme and host', async () => {
    const viewer = connect(`http://127.0.0.1:${overHttp2}`);
    const status = async (path: string): Promise<unknown> => {
      const stream = viewer.request({ ':path': path, ':authority': 'live.example.com' }).resume();
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
      return headers[':status'];
    };
    try {
      expect(await status('/live/sport1/index.m3u8?token=emil-sport1')).toBe(200);
      expect(await status('/live/film1/index.m3u8?token=emil-sport1')).toBe(403);
      expect(portal.requests[0]!.headers).toMatchObject({
        'x-real-path': '/live/sport1',
        'x-real-host': 'live.example.com',
      });
    } finally {
      viewer.close();
    }
  });

  it('sends a viewer where the backend says', async () => {
    const sent = await play('/live/sport1/index.m3u8?token=fritz-promo', { from: '127.1.4.1' });
    expect(sent).toMatchObject({ status: 302, headers: { location: 'http://promo.example.com/' } });
  });

  it('takes a token from the Authorization header, lets preflights through, and lets nobody publish', async () => {
    const headers = { Authorization: 'Bearer gast-sport1' };
    const path = '/live/sport1/index.m3u8';
    expect(await play(path, { from: '127.1.5.1', headers })).toMatchObject({ status: 200 });
    expect(await play(path, { from: '127.1.5.2', method: 'OPTIONS' })).toMatchObject({ status: 200 });
    expect(await play(path, { from: '127.1.5.2', method: 'HEAD' })).toMatchObject({ status: 401 });
    expect(await play(path, { from: '127.1.5.1', headers, method: 'PUT' })).toMatchObject({ status: 403 });
  });

  it('stops whom an operator kicks at his next request', async () => {
    const viewer = { from: '127.1.6.1' };
    const playlist = '/live/sport1/index.m3u8?token=hans-sport1';
    expect(await play(playlist, viewer)).toMatchObject({ status: 200 });
    const kick = { user: { namespace: 'portal', user: 'hans' }, reason: 'a test' };
    await eventually(async () => expect((await operators('/kicks', kick)).status).toBe(200), {
      everyMs: 250,
    });
    await eventually(async () => {
      expect(await play(playlist, viewer)).toMatchObject({ status: 403 });
      expect(await play('/live/sport1/seg-2.ts', viewer)).toMatchObject({ status: 403 });
    });
    expect(await play('/live/sport1/index.m3u8?token=ida-sport1', { from: '127.1.6.2' })).toMatchObject({
      status: 200,
    });
  });

  it('asks another gateway at once where one is gone, and lets in as configured where none is left', async () => {
    const [first, second] = cluster.gateways;
    await first!.end('SIGKILL');
    for (let n = 0; n < 4; n += 1) {
      expect(
        await play(`/live/sport1/index.m3u8?token=lena${n}-sport1`, { from: `127.1.7.${n + 1}` }),
      ).toMatchObject({ status: 200 });
    }
    await second!.end('SIGKILL');
    const path = '/live/sport1/index.m3u8?token=lena0-sport1';
    expect(await play(path, { from: '127.1.7.1' })).toMatchObject({ status: 403 });
    expect(await at(openLive, path, { from: '127.1.7.1' })).toMatchObject({ status: 200, body: MEDIA });
  });
});
