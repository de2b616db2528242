import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { operatorsOf } from '../support/edge-questions.js';
import {
  get,
  startUsher,
  type CheckReply,
  type UsherConfig,
  type UsherProcess,
} from '../support/usher-process.js';
import { AWAY, LET_IN, onThisMachine, SITE, withoutCache } from './support/nginx-site.js';
import { startNginx, type Nginx } from './support/nginx.js';

/** Three packets of an MPEG transport stream that hold nothing. */
const SEGMENT = Buffer.concat(
  Array.from({ length: 3 }, () => Buffer.from(`G\u001f\u00ff\u0010${'\u00ff'.repeat(184)}`, 'latin1')),
);
const PLAYLIST = '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nseg-1.ts\n#EXTINF:2,\nseg-2.ts\n';

const files = Object.fromEntries(
  ['sport1', 'film1'].flatMap((channel) => [
    [`live/${channel}/index.m3u8`, PLAYLIST],
    ...[1, 2, 3].map((n) => [`live/${channel}/seg-${n}.ts`, SEGMENT] as const),
  ]),
);

interface Viewer {
  readonly from?: string;
  readonly player?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
}

/** nginx as documented, in front of files of HLS, with a gateway, a worker and control behind it. */
describe('nginx with auth_request, as documented,', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let control: UsherProcess;
  let nginx: Nginx;
  let api: (path: string, body: unknown) => Promise<number>;

  /** Who may watch what: a token is `<user>-<channel>`, or `<user>-all`. */
  const allowTokens = (): void => {
    portal.behave((asked, response) => {
      const { searchParams } = new URL(asked.url ?? '/', 'http://portal');
      const [user = '', right = ''] = (searchParams.get('token') ?? '').split('-');
      const mayWatch = right === 'all' || right === asked.headers['x-channel-id'];
      if (right === 'promo') response.writeHead(302, { Location: 'http://promo.example.com/' }).end();
      else if (mayWatch) response.writeHead(200, { 'X-UserId': user }).end();
      else response.writeHead(403).end();
    });
  };
  const config = (portal_: FakePortal): UsherConfig => ({
    gateway: { answerTtl: { allow: '1ms', deny: '1ms' } },
    edges: Object.fromEntries(
      ['nginx-1', 'nginx-2'].map((name) => [
        name,
        { dialect: 'forward', ttl: '5s', forward: { paths: ['/live/{channel}/**'] } },
      ]),
    ),
    backends: {
      portal: { type: 'http', url: `${portal_.url}/check`, failMode: 'closed', credential: 'reusable' },
    },
  });

  beforeAll(async () => {
    portal = await startFakePortal();
    allowTokens();
    cluster = await startCluster(config(portal));
    control = await startUsher('control', {
      ...config(portal),
      redis: { url: cluster.redis.url, timeout: '250ms' },
    });
    const operators = await operatorsOf(control);
    api = async (path, body) => (await operators(path, body)).status;
    nginx = await startNginx({ http: onThisMachine(cluster.gateway.port), files });
  });

  afterAll(async () => {
    await nginx?.stop();
    await control?.end('SIGKILL');
    await cluster?.stop();
    await portal?.stop();
  });

  beforeEach(() => {
    portal.requests.length = 0;
  });

  const at = (
    server: Nginx,
    path: string,
    { from = '127.0.0.1', player = 'VLC/3', headers, method }: Viewer = {},
  ) =>
    get(
      server.port,
      path,
      { 'User-Agent': player, Host: 'live.example.com', ...headers },
      { localAddress: from, method },
    );
  const play = (path: string, viewer?: Viewer): Promise<CheckReply> => at(nginx, path, viewer);
  const asked = (): number => portal.requests.length;

  it('lets in whom the backend allows, and nobody else', async () => {
    const allowed = await play('/live/sport1/index.m3u8?token=anna-sport1', { from: '127.0.1.1' });
    expect(allowed).toMatchObject({ status: 200, body: PLAYLIST });
    expect(await play('/live/film1/index.m3u8?token=anna-sport1', { from: '127.0.1.1' })).toMatchObject({
      status: 403,
    });
    expect(await play('/live/sport1/index.m3u8?token=nobody', { from: '127.0.1.2' })).toMatchObject({
      status: 403,
    });
    expect(portal.requests.map(({ headers }) => headers['x-real-ip'])).toEqual([
      '127.0.1.1',
      '127.0.1.1',
      '127.0.1.2',
    ]);
    expect(portal.requests[0]!.headers).toMatchObject({
      'x-channel-id': 'sport1',
      'x-real-path': '/live/sport1',
    });
  });

  it('plays a whole stream with a token in the playlist alone, and asks the backend once', async () => {
    const viewer = { from: '127.0.2.1' };
    expect(await play('/live/sport1/index.m3u8?token=bob-sport1', viewer)).toMatchObject({ status: 200 });
    for (const file of ['seg-1.ts', 'seg-2.ts', 'index.m3u8', 'seg-3.ts']) {
      expect(await play(`/live/sport1/${file}`, viewer)).toMatchObject({ status: 200 });
    }
    expect(asked()).toBe(1);
  });

  it.each([
    ['another address', '/live/sport1/seg-1.ts', { from: '127.0.3.2' }],
    ['another player', '/live/sport1/seg-1.ts', { from: '127.0.3.1', player: 'Kodi' }],
    ['another channel', '/live/film1/seg-1.ts', { from: '127.0.3.1' }],
  ])('does not let %s in by it', async (_, path, other) => {
    expect(await play('/live/sport1/index.m3u8?token=carl-sport1', { from: '127.0.3.1' })).toMatchObject({
      status: 200,
    });
    expect(await play('/live/sport1/seg-2.ts', { from: '127.0.3.1' })).toMatchObject({ status: 200 });
    expect(await play(path, other)).toMatchObject({ status: 403 });
  });

  it('asks the gateway no more often than it was told to', async () => {
    const viewer = { from: '127.0.4.1' };
    const answered = async (): Promise<number> => {
      const { body } = await cluster.gateway.health('/metrics');
      const counts = body.matchAll(/^usher_checks_total\{[^}]*dialect="forward"[^}]*\} (\d+)$/gm);
      return Array.from(counts, ([, count]) => Number(count)).reduce((sum, count) => sum + count, 0);
    };
    await play('/live/sport1/index.m3u8?token=dora-sport1', viewer);
    await play('/live/sport1/seg-1.ts', viewer);
    const before = await answered();
    for (let i = 0; i < 20; i += 1) await play(`/live/sport1/seg-${1 + (i % 3)}.ts`, viewer);
    expect((await answered()) - before).toBeLessThan(5);
  });

  it.each([
    '/live/sport1/..%2ffilm1/seg-1.ts',
    '/live/sport1/..%2ffilm1%2fseg-1.ts',
    '/live/sport1/%2e%2e/film1/seg-1.ts',
    '/live/sport1/../film1/seg-1.ts',
    '/live/sport1/.%2e/film1/seg-1.ts',
    '/live/sport1//../film1/seg-1.ts',
    '/live/sport1/./../film1/seg-1.ts',
    '/live//film1/seg-1.ts',
    '/live/./film1/seg-1.ts',
    '/live/film1%2fseg-1.ts',
    '//live/film1/seg-1.ts',
    '/live/%66ilm1/seg-1.ts',
    '/live/sport1/seg-1.ts/../../film1/seg-1.ts',
    '/live/sport1/..%252ffilm1/seg-1.ts',
  ])('opens no other channel for %s', async (path) => {
    const viewer = { from: '127.0.5.1' };
    expect(await play('/live/sport1/index.m3u8?token=emil-sport1', viewer)).toMatchObject({ status: 200 });
    expect(await play('/live/sport1/seg-1.ts', viewer)).toMatchObject({ status: 200 });
    expect((await play(path, viewer)).status).toBeGreaterThanOrEqual(400);
    expect((await play(`${path}?token=emil-sport1`, viewer)).status).toBeGreaterThanOrEqual(400);
  });

  it('does not take a viewer’s word for who he is, and what he wants', async () => {
    const owner = { from: '127.0.6.1' };
    expect(await play('/live/sport1/index.m3u8?token=fritz-sport1', owner)).toMatchObject({ status: 200 });
    const forgeries: Record<string, string>[] = [
      { 'X-Real-IP': '127.0.6.1', 'X-Original-URI': '/live/sport1/seg-1.ts' },
      { 'X-Forwarded-For': '127.0.6.1', 'X-Forwarded-Uri': '/live/sport1/index.m3u8?token=fritz-sport1' },
      { 'X-Original-Method': 'OPTIONS' },
      { 'X-Original-URI': '/live/sport1/index.m3u8?token=fritz-sport1' },
    ];
    for (const headers of forgeries) {
      expect(await play('/live/sport1/seg-1.ts', { from: '127.0.6.2', headers })).toMatchObject({
        status: 403,
      });
    }
  });

  it('sends a viewer where the backend says', async () => {
    const sent = await play('/live/sport1/index.m3u8?token=gast-promo', { from: '127.0.7.1' });
    expect(sent).toMatchObject({ status: 302, headers: { location: 'http://promo.example.com/' } });
  });

  it('lets preflights through, asks about HEAD, and lets nobody publish', async () => {
    const viewer = { from: '127.0.8.1' };
    expect((await play('/live/sport1/index.m3u8', { ...viewer, method: 'OPTIONS' })).status).not.toBe(403);
    expect(await play('/live/sport1/index.m3u8', { ...viewer, method: 'HEAD' })).toMatchObject({
      status: 403,
    });
    expect(await play('/live/sport1/index.m3u8?token=hans-sport1', viewer)).toMatchObject({ status: 200 });
    expect(
      await play('/live/sport1/index.m3u8?token=hans-sport1', { ...viewer, method: 'HEAD' }),
    ).toMatchObject({ status: 200 });
    expect(
      await play('/live/sport1/index.m3u8?token=hans-sport1', { ...viewer, method: 'PUT' }),
    ).toMatchObject({ status: 403 });
  });

  it('takes a token from the Authorization header', async () => {
    const headers = { Authorization: 'Bearer ida-sport1' };
    expect(await play('/live/sport1/index.m3u8', { from: '127.0.9.1', headers })).toMatchObject({
      status: 200,
    });
    expect(await play('/live/sport1/index.m3u8', { from: '127.0.9.2' })).toMatchObject({ status: 403 });
  });

  it('stops whom an operator kicks as soon as its own cache may not answer any more', async () => {
    const viewer = { from: '127.0.10.1' };
    expect(await play('/live/sport1/index.m3u8?token=jana-sport1', viewer)).toMatchObject({ status: 200 });
    expect(await play('/live/sport1/seg-1.ts', viewer)).toMatchObject({ status: 200 });
    await eventually(
      async () => {
        expect(await api('/kicks', { user: { namespace: 'portal', user: 'jana' }, reason: 'a test' })).toBe(
          200,
        );
        expect(await play('/live/sport1/seg-2.ts', viewer)).toMatchObject({ status: 403 });
      },
      { withinMs: 15_000, everyMs: 250 },
    );
    await eventually(
      async () => {
        expect(await play('/live/sport1/index.m3u8?token=jana-sport1', viewer)).toMatchObject({
          status: 403,
        });
      },
      { withinMs: 15_000, everyMs: 250 },
    );
  });

  it('without a header that it has to set lets nobody in, and the log says which', async () => {
    for (const header of ['X-Original-URI', 'X-Original-Method', 'X-Real-IP']) {
      const broken = await startNginx({
        http: onThisMachine(cluster.gateway.port).replace(
          new RegExp(`^.*proxy_set_header ${header} .*$`, 'm'),
          '',
        ),
        files,
      });
      try {
        expect(
          await at(broken, '/live/sport1/index.m3u8?token=karl-sport1', { from: '127.0.11.1' }),
        ).toMatchObject({ status: 403 });
        expect(cluster.output()).toContain(`${header} is missing: nginx: proxy_set_header ${header}`);
      } finally {
        await broken.stop();
      }
    }
  });

  describe('without its cache lines', () => {
    const edges = (text: string): string => text.replace('/e/nginx-1/', '/e/nginx-2/');
    let bare: Nginx;
    beforeAll(async () => {
      const http = withoutCache(edges(onThisMachine(cluster.gateway.port)));
      expect(http).not.toContain('proxy_cache');
      bare = await startNginx({ http, files });
    });
    afterAll(() => bare?.stop());

    it('lets in whom the backend allows, and nobody else', async () => {
      const [viewer, other] = [{ from: '127.0.13.1' }, { from: '127.0.13.2' }];
      expect(await at(bare, '/live/sport1/index.m3u8?token=nora-sport1', viewer)).toMatchObject({
        status: 200,
        body: PLAYLIST,
      });
      for (const file of ['seg-1.ts', 'seg-2.ts', 'index.m3u8', 'seg-3.ts']) {
        expect(await at(bare, `/live/sport1/${file}`, viewer)).toMatchObject({ status: 200 });
      }
      expect(asked()).toBe(1);
      expect(await at(bare, '/live/film1/index.m3u8?token=nora-sport1', viewer)).toMatchObject({
        status: 403,
      });
      expect(await at(bare, '/live/sport1/seg-1.ts', other)).toMatchObject({ status: 403 });
    });

    it('sends a viewer where the backend says', async () => {
      const sent = await at(bare, '/live/sport1/index.m3u8?token=olga-promo', { from: '127.0.13.3' });
      expect(sent).toMatchObject({ status: 302, headers: { location: 'http://promo.example.com/' } });
    });

    it('stops whom an operator kicks at his next request', async () => {
      const viewer = { from: '127.0.13.4' };
      const playlist = '/live/sport1/index.m3u8?token=paul-sport1';
      expect(await at(bare, playlist, viewer)).toMatchObject({ status: 200 });
      expect(await at(bare, '/live/sport1/seg-1.ts', viewer)).toMatchObject({ status: 200 });
      const kick = { user: { namespace: 'portal', user: 'paul' }, reason: 'a test' };
      await eventually(async () => expect(await api('/kicks', kick)).toBe(200), { everyMs: 250 });
      await eventually(async () => {
        expect(await at(bare, '/live/sport1/seg-2.ts', viewer)).toMatchObject({ status: 403 });
        expect(await at(bare, playlist, viewer)).toMatchObject({ status: 403 });
      });
    });
  });

  describe('while no gateway answers', () => {
    let open: Nginx;
    beforeAll(async () => {
      const [fallback, location] = [AWAY, LET_IN];
      const letsIn = SITE.replace(
        '        proxy_cache_lock on;',
        `${fallback}\n        proxy_cache_lock on;`,
      ).replace('    location @auth_denied {', `${location}\n\n    location @auth_denied {`);
      open = await startNginx({ http: onThisMachine(cluster.gateway.port, letsIn), files });
      for (const server of [nginx, open]) {
        const known = await at(server, '/live/sport1/index.m3u8?token=lena-sport1', { from: '127.0.12.1' });
        expect(known).toMatchObject({ status: 200 });
        expect(await at(server, '/live/sport1/index.m3u8?token=none', { from: '127.0.12.9' })).toMatchObject({
          status: 403,
        });
      }
      await cluster.gateway.end('SIGKILL');
    });
    afterAll(() => open?.stop());

    it('those play on whose answer nginx has, and others get 500', async () => {
      expect(
        await at(nginx, '/live/sport1/seg-1.ts?token=lena-sport1', { from: '127.0.12.1' }),
      ).toMatchObject({ status: 200 });
      expect(
        await at(nginx, '/live/sport1/index.m3u8?token=mona-sport1', { from: '127.0.12.2' }),
      ).toMatchObject({ status: 500 });
    });

    it('everybody plays where that is configured', async () => {
      expect(await at(open, '/live/sport1/seg-1.ts?token=lena-sport1', { from: '127.0.12.1' })).toMatchObject(
        { status: 200 },
      );
      expect(
        await at(open, '/live/sport1/index.m3u8?token=mona-sport1', { from: '127.0.12.2' }),
      ).toMatchObject({ status: 200 });
    });
  });
});
