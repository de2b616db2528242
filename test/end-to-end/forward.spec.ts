import { eventually, startFakePortal, type FakePortal, type PortalBehaviour } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { told, ASKED } from '../support/deadline.js';
import { exchange, statusOf } from '../support/raw-http.js';
import { get, type CheckReply, type UsherProcess } from '../support/usher-process.js';
import { wholeTimes } from '../support/whole-times.js';

/** Two gateways behind one proxy of each kind. */
describe('forward authentication', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let one: UsherProcess;
  let other: UsherProcess;

  beforeAll(async () => {
    portal = await startFakePortal();
    const edge = (proxy: string) => ({ dialect: 'forward', forward: { proxy } });
    cluster = await startCluster(
      {
        gateway: { answerTtl: { allow: '1ms', deny: '1ms' }, proxies: ['127.0.0.9'] },
        edges: {
          'nginx-1': { ...edge('nginx'), ttl: '60s' },
          'sid-1': { dialect: 'forward', forward: { cookie: 'sid' } },
          'haproxy-1': edge('haproxy'),
          'traefik-1': edge('traefik'),
          'traefik-2': { ...edge('traefik'), addresses: ['10.0.0.21'] },
          'caddy-1': edge('caddy'),
          'envoy-1': { ...edge('envoy'), secret: 'open-sesame', deadline: '2s' },
          'envoy-2': edge('envoy'),
        },
        backends: {
          portal: { type: 'http', url: `${portal.url}/check`, failMode: 'closed', timeout: '1500ms' },
        },
        routes: [{ match: { channel: 'open' }, backend: 'portal', failMode: 'open' }, { backend: 'portal' }],
      },
      { all: 1, gateways: 1 },
    );
    [one, other] = cluster.gateways as [UsherProcess, UsherProcess];
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  /** A token is `<user>-<channel>`. */
  const byToken: PortalBehaviour = (asked, response) => {
    const token = new URL(asked.url ?? '/', 'http://portal').searchParams.get('token') ?? '';
    const [user = '', channel] = token.split('-');
    if (channel === 'promo') response.writeHead(302, { Location: 'http://promo.example.com/' }).end();
    else if (channel === asked.headers['x-channel-id']) response.writeHead(200, { 'X-UserId': user }).end();
    else response.writeHead(401).end();
  };
  beforeEach(() => {
    portal.requests.length = 0;
    portal.behave(byToken);
  });

  interface Viewer {
    readonly ip: string;
    readonly player?: string;
    readonly cookie?: string;
    readonly edge?: string;
    readonly method?: string;
  }

  /** As nginx asks. */
  const nginx = (gateway: UsherProcess, uri: string, viewer: Viewer) =>
    get(gateway.port, `/e/${viewer.edge ?? 'nginx-1'}/forward`, {
      'X-Original-URI': uri,
      'X-Original-Method': viewer.method ?? 'GET',
      'X-Original-Host': 'live.example.com',
      'X-Real-IP': viewer.ip,
      'User-Agent': viewer.player ?? 'VLC/3',
      ...(viewer.cookie && { Cookie: viewer.cookie }),
    });

  /** Lines as on the wire; what differs from run to run is left out. */
  const said = (answer: string): string[] =>
    wholeTimes(answer, 'X-Accel-Expires', [60])
      .split('\r\n')
      .filter((line) => line !== '' && !/^(Date|Keep-Alive|X-Usher-(Id|Source)): /.test(line));
  const ask = (...lines: string[]): Promise<string> => exchange(one.port, `${lines.join('\r\n')}\r\n\r\n`);

  describe('byte for byte', () => {
    it.each(['anna-sport', 'anna-sport'])('nginx', async (token) => {
      const answer = await ask(
        'GET /e/nginx-1/forward HTTP/1.0',
        `X-Original-URI: /live/sport/seg-1.ts?token=${token}`,
        'X-Original-Method: GET',
        'X-Original-Host: live.example.com',
        'X-Real-IP: 192.0.2.10',
        'Host: usher',
        'Connection: close',
        'User-Agent: VLC/3',
        'Range: bytes=0-',
      );
      expect(said(answer)).toEqual([
        'HTTP/1.1 200 OK',
        'X-Accel-Expires: 60',
        'X-UserId: anna',
        'Content-Length: 0',
        'Connection: close',
      ]);
    });

    it('nginx, of somebody who may not watch it', async () => {
      const answer = await ask(
        'GET /e/nginx-1/forward HTTP/1.0',
        'X-Original-URI: /live/film/seg-1.ts?token=anna-sport',
        'X-Original-Method: GET',
        'X-Real-IP: 192.0.2.11',
        'Connection: close',
      );
      expect(said(answer)).toEqual([
        'HTTP/1.1 401 Unauthorized',
        'X-Accel-Expires: 5',
        'Content-Length: 0',
        'Connection: close',
      ]);
    });

    it('HAProxy', async () => {
      const headers = [
        'host: 127.0.0.1',
        'user-agent: VLC/3',
        'x-original-method: GET',
        'x-original-host: live.example.com',
        'x-real-ip: 192.0.2.12',
        'connection: close',
      ];
      const allowed = await ask(
        'HEAD /e/haproxy-1/forward HTTP/1.1',
        'x-original-uri: /live/sport/seg-1.ts?token=bob-sport',
        ...headers,
      );
      expect(said(allowed)).toEqual([
        'HTTP/1.1 200 OK',
        'X-UserId: bob',
        'Content-Length: 0',
        'Connection: close',
      ]);
      const sent = await ask(
        'HEAD /e/haproxy-1/forward HTTP/1.1',
        'x-original-uri: /live/sport/seg-1.ts?token=bob-promo',
        ...headers,
      );
      expect(said(sent)).toEqual([
        'HTTP/1.1 403 Forbidden',
        'X-Usher-Location: http://promo.example.com/',
        'Content-Length: 0',
        'Connection: close',
      ]);
    });

    const forwarded = (edge: string, uri: string, ip: string, ...more: string[]): string[] => [
      `GET /e/${edge}/forward HTTP/1.1`,
      'Host: usher:1064',
      'User-Agent: VLC/3',
      `X-Forwarded-For: 198.51.100.66, ${ip}`,
      'X-Forwarded-Host: live.example.com',
      'X-Forwarded-Method: GET',
      'X-Forwarded-Proto: https',
      `X-Forwarded-Uri: ${uri}`,
      'Connection: close',
      ...more,
    ];
    it.each(['traefik-1', 'caddy-1'])('%s', async (edge) => {
      const ip = '192.0.2.13';
      const more = edge === 'caddy-1' ? ['Via: 2.0 Caddy'] : ['X-Forwarded-Server: edge'];
      const allowed = await ask(...forwarded(edge, '/live/sport/1.ts?token=carl-sport', ip, ...more));
      expect(said(allowed)).toEqual([
        'HTTP/1.1 200 OK',
        'X-UserId: carl',
        'Content-Length: 0',
        'Connection: close',
      ]);
      expect(portal.requests.at(-1)!.headers['x-real-ip']).toBe(ip);
      const sent = await ask(...forwarded(edge, '/live/sport/1.ts?token=carl-promo', ip, ...more));
      expect(said(sent)).toEqual([
        'HTTP/1.1 302 Found',
        'Location: http://promo.example.com/',
        'Content-Length: 0',
        'Connection: close',
      ]);
      portal.status(503);
      const unavailable = await ask(...forwarded(edge, '/live/sport/1.ts?token=dora-sport', ip, ...more));
      expect(said(unavailable)).toEqual([
        'HTTP/1.1 503 Service Unavailable',
        'Content-Length: 0',
        'Connection: close',
      ]);
    });

    it('Envoy', async () => {
      const envoy = (method: string, path: string): Promise<string> =>
        ask(
          `${method} /e/envoy-1/open-sesame/forward${path} HTTP/1.1`,
          'host: live.example.com',
          'content-length: 0',
          'user-agent: VLC/3',
          'x-forwarded-for: 192.0.2.14',
          'connection: close',
        );
      expect(said(await envoy('GET', '/live/sport/seg-1.ts?token=emil-sport'))).toEqual([
        'HTTP/1.1 200 OK',
        'X-UserId: emil',
        'Content-Length: 0',
        'Connection: close',
      ]);
      expect(portal.requests.at(-1)!.headers).toMatchObject({
        'x-real-path': '/live/sport',
        'x-real-host': 'live.example.com',
        'x-channel-id': 'sport',
      });
      expect(statusOf(await envoy('OPTIONS', '/live/sport/seg-1.ts'))).toBe(200);
      expect(statusOf(await envoy('GET', '/live/sport/../film/1.ts?token=emil-sport'))).toBe(403);
      expect(statusOf(await envoy('PUT', '/live/sport/1.ts?token=emil-sport'))).toBe(403);
      expect(statusOf(await envoy('GET', ''))).toBe(400);
    });

    it('a proxy that is not set up is told what to do', async () => {
      const answer = await ask(
        'GET /e/nginx-1/forward HTTP/1.0',
        'X-Real-IP: 192.0.2.15',
        'Connection: close',
      );
      expect(statusOf(answer)).toBe(403);
      expect(answer).toContain(
        '\r\n\r\nX-Original-URI is missing: nginx: proxy_set_header X-Original-URI $request_uri;\n',
      );
      expect(cluster.output()).toContain('misconfigured-edge');
    });
  });

  describe('segments without a token', () => {
    const sessionsAt = async (ip: string): Promise<number> => {
      const keys = (await cluster.redis.cli('KEYS', 'usher:session:*')).split('\n').filter(Boolean);
      const addresses = await Promise.all(keys.map((key) => cluster.redis.cli('HGET', key, 'ip')));
      return addresses.filter((address) => address.trim() === ip).length;
    };

    it('play on at the gateway where the token was shown, and at others, as its session; the backend is asked once', async () => {
      const viewer = { ip: '192.0.2.20' };
      const opened = await nginx(one, '/live/sport/index.m3u8?token=fritz-sport', viewer);
      expect(told(opened)).toBe('200 asked');
      for (let n = 1; n < 4; n += 1) {
        expect(told(await nginx(one, `/live/sport/seg-${n}.ts`, viewer))).toBe('200 cache');
      }
      const elsewhere = await nginx(other, '/live/sport/seg-4.ts', viewer);
      expect(elsewhere).toMatchObject({ status: 200, source: 'session', headers: { 'x-userid': 'fritz' } });
      expect(told(await nginx(other, '/live/sport/seg-5.ts', viewer))).toBe('200 cache');
      expect(portal.requests).toHaveLength(1);
      expect(await sessionsAt(viewer.ip)).toBe(1);
    });

    it.each<[string, string, Viewer]>([
      ['another address', '/live/sport/1.ts', { ip: '192.0.2.31' }],
      ['another player', '/live/sport/1.ts', { ip: '192.0.2.30', player: 'Kodi' }],
      ['another channel', '/live/film/1.ts', { ip: '192.0.2.30' }],
      ['the same name elsewhere', '/hls/sport/1.ts', { ip: '192.0.2.30' }],
      ['another edge', '/live/sport/1.ts', { ip: '192.0.2.30', edge: 'sid-1' }],
    ])('of %s do not', async (_, uri, viewer) => {
      expect(await nginx(one, '/live/sport/index.m3u8?token=gerd-sport', { ip: '192.0.2.30' })).toMatchObject(
        { status: 200 },
      );
      for (const gateway of [one, other])
        expect(await nginx(gateway, uri, viewer)).toMatchObject({ status: 401 });
    });

    it('are asked about as they are where nobody was, and let in as soon as a token was shown, anywhere', async () => {
      const viewer = { ip: '192.0.2.40' };
      expect(await nginx(one, '/live/sport/1.ts', viewer)).toMatchObject({
        status: 401,
        headers: { 'x-accel-expires': '0' },
      });
      expect(await nginx(other, '/live/sport/index.m3u8?token=hans-sport', viewer)).toMatchObject({
        status: 200,
      });
      expect(await nginx(one, '/live/sport/2.ts', viewer)).toMatchObject({ status: 200, source: 'session' });
    });

    it('go on with a neighbour behind the same address, and a wrong token does not', async () => {
      const house = { ip: '192.0.2.50' };
      expect(await nginx(one, '/live/sport/index.m3u8?token=ida-sport', house)).toMatchObject({
        status: 200,
      });
      expect(await nginx(one, '/live/sport/index.m3u8?token=jan-sport', house)).toMatchObject({
        status: 200,
      });
      expect(await nginx(one, '/live/sport/1.ts', house)).toMatchObject({ headers: { 'x-userid': 'jan' } });
      expect(await nginx(one, '/live/sport/1.ts?token=nobody', house)).toMatchObject({ status: 401 });
    });

    it('are told apart by a session cookie, where there is one', async () => {
      const karl = { ip: '192.0.2.60', edge: 'sid-1', cookie: 'sid=karl' };
      const lena = { ip: '192.0.2.60', edge: 'sid-1', cookie: 'sid=lena' };
      expect(await nginx(one, '/live/sport/index.m3u8?token=karl-sport', karl)).toMatchObject({
        status: 200,
      });
      expect(await nginx(one, '/live/sport/1.ts', lena)).toMatchObject({ status: 401 });
      expect(await nginx(one, '/live/sport/index.m3u8?token=lena-sport', lena)).toMatchObject({
        status: 200,
      });
      for (const gateway of [one, other]) {
        expect(await nginx(gateway, '/live/sport/1.ts', karl)).toMatchObject({
          headers: { 'x-userid': 'karl' },
        });
        expect(await nginx(gateway, '/live/sport/1.ts', lena)).toMatchObject({
          headers: { 'x-userid': 'lena' },
        });
      }
    });

    it('play on while Redis is away', async () => {
      const viewer = { ip: '192.0.2.70' };
      expect(await nginx(one, '/live/sport/index.m3u8?token=mona-sport', viewer)).toMatchObject({
        status: 200,
      });
      cluster.redis.pause();
      try {
        await eventually(async () => expect((await one.problems()).join()).toContain('Redis is away'));
        expect(told(await nginx(one, '/live/sport/1.ts', viewer))).toBe('200 cache');
      } finally {
        cluster.redis.resume();
        await cluster.whole();
      }
    });
  });

  describe('Envoy, which gives up after 200 ms, of a portal that takes longer,', () => {
    const envoy = (path: string, ip: string): Promise<CheckReply> =>
      get(one.port, `/e/envoy-2/forward${path}`, {
        Host: 'live.example.com',
        'User-Agent': 'VLC/3',
        'X-Forwarded-For': ip,
      });
    /** Whose fault it is depends on the machine: what took most of the time. */
    const LET_IN = /^200 (fail-open|overload)$/;
    const REFUSED = /^503 (fail-closed|overload)$/;
    beforeEach(() => portal.slow(700, byToken));

    it('gets what the fail mode says, and then what the portal said, who is asked once', async () => {
      expect(told(await envoy('/live/open/1.ts?token=nora-open', '192.0.2.80'))).toMatch(LET_IN);
      expect(told(await envoy('/live/sport/1.ts?token=olga-sport', '192.0.2.81'))).toMatch(REFUSED);
      // Its session is opened by an answer that nobody waited for.
      await eventually(async () =>
        expect(await cluster.redis.cli('KEYS', 'usher:user:*olga')).toContain('olga'),
      );
      await eventually(async () => {
        const answer = await envoy('/live/sport/1.ts?token=olga-sport', '192.0.2.81');
        expect(answer).toMatchObject({ status: 200, headers: { 'x-userid': 'olga' } });
      });
      expect(portal.requests.filter(({ url }) => url.includes('olga'))).toHaveLength(1);
      expect((await envoy('/live/open/1.ts?token=nora-open', '192.0.2.80')).status).toBe(200);
    });

    it('lets nobody play on whom the portal then denies', async () => {
      const path = '/live/open/1.ts?token=paul-sport';
      expect(told(await envoy(path, '192.0.2.82'))).toMatch(LET_IN);
      await eventually(async () => expect((await envoy(path, '192.0.2.82')).status).toBe(403));
      expect((await envoy(path, '192.0.2.82')).status).toBe(403);
    });
  });

  it('an address behind a load balancer of ours is told by the proxy alone', async () => {
    const ask9 = (edge: string, forwarded: string) =>
      get(
        one.port,
        `/e/${edge}/forward`,
        {
          'X-Forwarded-Uri': '/live/sport/1.ts?token=nina-sport',
          'X-Forwarded-Method': 'GET',
          'X-Forwarded-For': forwarded,
        },
        { localAddress: '127.0.0.9' },
      );
    const ok = await ask9('traefik-2', '198.51.100.1, 192.0.2.80, 10.0.0.21');
    expect(ok).toMatchObject({ status: 200, source: ASKED });
    expect(portal.requests.at(-1)!.headers['x-real-ip']).toBe('192.0.2.80');
    // Traefik itself is listed as a load balancer: what is left is the viewer's own word.
    expect(await ask9('traefik-1', '198.51.100.1, 192.0.2.80')).toMatchObject({ status: 400 });
  });
});
