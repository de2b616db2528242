import { access, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { operatorsOf } from '../support/edge-questions.js';
import { startUsher, type UsherProcess } from '../support/usher-process.js';
import { documentedHaproxy, missingForHaproxy, startHaproxy, type Haproxy } from './support/haproxy.js';
import { IN_PLAYLIST, playHls, sendHls } from './support/live.js';
import { onThisMachine, withoutCache } from './support/nginx-site.js';
import { startNginx, type Nginx } from './support/nginx.js';
import { hasFfmpeg, type Running } from './support/programs.js';

/** Of a machine that is busy with other things, ms. */
const PATIENCE = 20_000;
/** nginx's cache may hold an answer so long. */
const TTL = '5s';

// Said, or it would look as if all were well.
if (!hasFfmpeg()) it.todo('no live picture was played: there is no ffmpeg here');
const real = hasFfmpeg() ? describe : describe.skip;
const haproxyMissing = missingForHaproxy();
if (haproxyMissing !== undefined) it.todo(`no live picture went through HAProxy: no ${haproxyMissing} here`);

/** A live picture of ffmpeg's behind each proxy as documented, players of ffmpeg's in front, Usher beside. */
real('a live HLS stream, played by ffmpeg,', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let control: UsherProcess;
  let operators: (path: string, body: unknown) => Promise<Response>;
  let media: string;
  let camera: Running;
  const servers: (Nginx | Haproxy)[] = [];
  /** Where viewers ask, by proxy. */
  const ports = new Map<string, number>();

  beforeAll(async () => {
    portal = await startFakePortal();
    // A viewer's token is his name, and nobody watches without one.
    portal.behave(({ url = '' }, response) => {
      const user = new URL(url, 'http://portal').searchParams.get('token');
      if (user && user !== 'nobody') response.writeHead(200, { 'X-UserId': user }).end();
      else response.writeHead(403).end();
    });
    media = await mkdtemp(join(tmpdir(), 'usher-live-'));
    await mkdir(join(media, 'live/cam1'), { recursive: true });
    camera = sendHls(join(media, 'live/cam1'));
    await eventually(() => access(join(media, 'live/cam1/index.m3u8')), { withinMs: PATIENCE });
    const forward = (more: object) => ({
      dialect: 'forward',
      ttl: TTL,
      forward: { paths: ['/live/{channel}/**'], ...more },
    });
    const config = {
      edges: {
        'nginx-1': forward({}),
        'nginx-2': forward({}),
        'haproxy-1': forward({ proxy: 'haproxy' }),
      },
      backends: {
        portal: { type: 'http', url: `${portal.url}/check`, failMode: 'closed', credential: 'reusable' },
      },
    };
    cluster = await startCluster(config);
    control = await startUsher('control', { ...config, redis: { url: cluster.redis.url, timeout: '250ms' } });
    operators = await operatorsOf(control);
    const gateway = cluster.gateway.port;
    const site = onThisMachine(gateway).replace('{folder}/srv', media);
    const origin = await freePort();
    const plain = `server { listen ${origin}; location / { root ${media}; } }`;
    const cached = await startNginx({ http: `${site}\n${plain}` });
    const bare = await startNginx({ http: withoutCache(site).replace('/e/nginx-1/', '/e/nginx-2/') });
    servers.push(cached, bare);
    ports.set('nginx with its cache', cached.port).set('nginx without its cache', bare.port);
    if (haproxyMissing !== undefined) return;
    const [live, questions] = [await freePort(), await freePort()];
    const haproxy = documentedHaproxy({ live, questions, gateways: [gateway, gateway], origin });
    servers.push(await startHaproxy(haproxy, live));
    ports.set('HAProxy', live);
  });

  afterAll(async () => {
    await camera?.stop();
    for (const server of servers) await server.stop();
    await control?.end('SIGKILL');
    await cluster?.stop();
    await portal?.stop();
    if (media) await rm(media, { recursive: true, force: true });
  });

  describe.each([
    ['nginx with its cache', 'cached'],
    ['nginx without its cache', 'bare'],
    ...(haproxyMissing === undefined ? [['HAProxy', 'haproxy'] as const] : []),
  ])('through %s', (proxy, name) => {
    const watch = (user: string) =>
      playHls(`http://127.0.0.1:${ports.get(proxy)!}/live/cam1/index.m3u8?token=${user}`, user);

    it('is seen by whom the backend allows, who is asked about once, and by nobody else', async () => {
      const anna = watch(`anna-${name}`);
      await eventually(() => expect(anna.frames).toBeGreaterThan(IN_PLAYLIST), { withinMs: PATIENCE });
      const intruder = watch('nobody');
      await eventually(() => expect(intruder.hasEnded).toBe(true), { withinMs: PATIENCE });
      expect(await intruder.ended).not.toBe(0);
      expect(intruder.frames).toBe(0);
      expect(intruder.output()).toContain('403 Forbidden');
      expect(anna.hasEnded).toBe(false);
      await anna.stop();
      expect(portal.requests.filter(({ url }) => url.includes(`anna-${name}`))).toHaveLength(1);
    });

    it('stops for whom an operator kicks, and for nobody else', async () => {
      const [bob, carl] = [watch(`bob-${name}`), watch(`carl-${name}`)];
      await eventually(
        () => {
          expect(bob.frames).toBeGreaterThan(IN_PLAYLIST);
          expect(carl.frames).toBeGreaterThan(IN_PLAYLIST);
        },
        { withinMs: PATIENCE },
      );
      const kick = { user: { namespace: 'portal', user: `bob-${name}` }, reason: 'a test' };
      expect((await operators('/kicks', kick)).status).toBe(200);
      await eventually(() => expect(bob.hasEnded).toBe(true), { withinMs: PATIENCE });
      expect(bob.output()).toContain('403 Forbidden');
      const seen = carl.frames;
      await eventually(() => expect(carl.frames).toBeGreaterThan(seen + IN_PLAYLIST), { withinMs: PATIENCE });
      expect(carl.hasEnded).toBe(false);
      await carl.stop();
      const again = watch(`bob-${name}`);
      await eventually(() => expect(again.hasEnded).toBe(true), { withinMs: PATIENCE });
      expect(again.frames).toBe(0);
    });
  });
});
