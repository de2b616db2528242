import { eventually, freePort, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { operatorsOf } from '../support/edge-questions.js';
import { startUsher, type UsherProcess } from '../support/usher-process.js';
import { blocksIn } from './support/documented.js';
import { askForStream } from './support/rtmp-player.js';
import type { Running } from './support/programs.js';
import {
  missingForRtmp,
  pictureAt,
  play,
  publish,
  startRtmpServer,
  type RtmpServer,
} from './support/rtmp.js';

const [RTMP = '', CONTROL = ''] = blocksIn('docs/dialects/nginx-rtmp.md', 'nginx');
/** As often as a viewer is asked about again here, and what a busy machine takes besides, ms. */
const UPDATE = 1_000;
const PATIENCE = 15_000;
/** What ffmpeg calls the picture that is published here. */
const PICTURE = 'flv1';

const missing = missingForRtmp();
// Said, or it would look as if all were well.
if (missing !== undefined) it.todo(`nginx with the RTMP module was not tried: there is no ${missing} here`);
const real = missing === undefined ? describe : describe.skip;

/** nginx as documented, with pictures of ffmpeg's, and a gateway, a worker and control behind it. */
real('nginx with the RTMP module, as documented,', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let control: UsherProcess;
  let nginx: RtmpServer;
  let operators: (path: string, body: unknown) => Promise<Response>;
  let camera: Running;
  let port: number;

  beforeAll(async () => {
    portal = await startFakePortal();
    // A viewer's token is his name; a publisher shows a key. Others are refused.
    portal.behave(({ url = '', headers }, response) => {
      const query = new URL(url, 'http://portal').searchParams;
      const isPublisher = headers['x-usher-action'] === 'publish';
      const user = isPublisher ? query.get('key') === 'studio' && 'studio' : query.get('token');
      if (user) response.writeHead(200, { 'X-UserId': user }).end();
      else response.writeHead(403).end();
    });
    const [rtmpPort, controlPort] = [await freePort(), await freePort()];
    port = rtmpPort;
    const config = {
      edges: {
        'rtmp-1': { dialect: 'nginx-rtmp' },
        'rtmp-2': {
          dialect: 'nginx-rtmp',
          control: {
            type: 'http',
            method: 'GET',
            url: `http://127.0.0.1:${controlPort}/control/drop/client?app=told&clientid={session}`,
          },
        },
      },
      backends: {
        portal: { type: 'http', url: `${portal.url}/check`, failMode: 'closed', timeout: '20s' },
      },
      routes: [{ match: { action: 'publish' }, backend: 'portal' }, { backend: 'portal' }],
    };
    cluster = await startCluster(config);
    control = await startUsher('control', {
      ...config,
      redis: { url: cluster.redis.url, timeout: '250ms' },
    });
    operators = await operatorsOf(control);
    const rtmp = RTMP.replace('listen 1935;', `listen 127.0.0.1:${port};`)
      .replaceAll('10.0.0.2:1064', `127.0.0.1:${cluster.gateway.port}`)
      .replace('notify_update_timeout 30s;', `notify_update_timeout ${UPDATE}ms;`);
    const [, live = ''] = /( +application live \{[\s\S]*?\n {4}\}\n)/.exec(rtmp) ?? [];
    // Whose kicks go by the module's control alone.
    const told = live
      .replace('application live', 'application told')
      .replaceAll('/e/rtmp-1/', '/e/rtmp-2/')
      .replace(/on_update .*\n/, '');
    const http = CONTROL.replace('listen 10.0.0.17:8080;', `listen 127.0.0.1:${controlPort};`).replace(
      'allow 10.0.0.2;',
      'allow 127.0.0.1;',
    );
    nginx = await startRtmpServer(`${rtmp.replace(live, () => live + told)}\n${http}\n`, port);
    camera = publish(address('cam1?key=studio'));
    await eventually(async () => expect(await pictureAt(address('cam1?token=first'))).toBe(PICTURE), {
      withinMs: PATIENCE,
    });
  });

  afterAll(async () => {
    await camera?.stop();
    await nginx?.stop();
    await control?.end('SIGKILL');
    await cluster?.stop();
    await portal?.stop();
  });

  const address = (stream: string, app = 'live'): string => `rtmp://127.0.0.1:${port}/${app}/${stream}`;
  const sessions = async (edge = 'rtmp-1'): Promise<string[]> =>
    (await cluster.redis.cli('KEYS', `usher:session:*:${edge}:*`))
      .split('\n')
      .filter((key) => key !== '')
      .map((key) => key.slice(key.lastIndexOf(':') + 1));
  const none = async (edge?: string): Promise<void> =>
    eventually(async () => expect(await sessions(edge)).toEqual([]), { withinMs: PATIENCE });
  const endsBy = (one: Running, withinMs: number): Promise<void> =>
    eventually(() => expect(one.hasEnded).toBe(true), { withinMs });

  it('shows the picture to whom the backend allows, and to nobody else', async () => {
    expect(await pictureAt(address('cam1?token=anna'))).toBe(PICTURE);
    expect(await pictureAt(address('cam1?token='))).toBe('');
    expect(await pictureAt(address('cam1'))).toBe('');
  });

  it('takes a picture from whom the backend lets publish, and from nobody else', async () => {
    expect(camera.hasEnded).toBe(false);
    const intruder = publish(address('cam2?key=guessed'));
    await endsBy(intruder, PATIENCE);
    expect(await intruder.ended).not.toBe(0);
    expect(await pictureAt(address('cam1?token=anna'))).toBe(PICTURE);
  });

  it('tells when a viewer goes, and his session is over', async () => {
    await none();
    const viewer = play(address('cam1?token=bert'));
    await eventually(async () => expect(await sessions()).toHaveLength(1), { withinMs: PATIENCE });
    await viewer.stop();
    await none();
  });

  it('asks again about who plays, from memory, and ends what plays when he is kicked', async () => {
    await none();
    const viewer = play(address('cam1?token=carl'));
    await eventually(async () => expect(await sessions()).toHaveLength(1), { withinMs: PATIENCE });
    const [id] = await sessions();
    const updates = (): number => nginx.log().split('notify: update').length;
    const before = updates();
    await eventually(() => expect(updates()).toBeGreaterThan(before + 2), { withinMs: PATIENCE });
    expect(viewer.hasEnded).toBe(false);
    expect(portal.requests.filter(({ url }) => url.includes('token=carl'))).toHaveLength(1);
    const kicked = await operators('/kicks', { session: { edge: 'rtmp-1', id }, reason: 'a test' });
    expect(kicked.status).toBe(200);
    await endsBy(viewer, UPDATE + PATIENCE);
    expect(nginx.log()).toContain('notify: update failed');
    expect(await pictureAt(address('cam1?token=carl'))).toBe('');
    expect(await pictureAt(address('cam1?token=dora'))).toBe(PICTURE);
  });

  it('ends what plays at once by the module’s own control, where it is configured', async () => {
    const other = publish(address('cam1?key=studio', 'told'));
    await eventually(async () => expect(await pictureAt(address('cam1?token=emil', 'told'))).toBe(PICTURE), {
      withinMs: PATIENCE,
    });
    await none('rtmp-2');
    const viewer = play(address('cam1?token=emil', 'told'));
    await eventually(async () => expect(await sessions('rtmp-2')).toHaveLength(1), { withinMs: PATIENCE });
    const [id] = await sessions('rtmp-2');
    await operators('/kicks', { session: { edge: 'rtmp-2', id }, reason: 'a test' });
    await endsBy(viewer, PATIENCE);
    expect(other.hasEnded).toBe(false);
    await other.stop();
  });

  it('tells what a player says, and nothing that he says is more than that', async () => {
    const words =
      'token=fred&call=publish&name=free&addr=10.9.9.9&clientid=1\r\nX: 1\r\n\r\nPOST /e/rtmp-1/nginx-rtmp';
    const before = portal.requests.length;
    await askForStream(port, 'live', `cam1?${words}`);
    await eventually(() => expect(portal.requests).toHaveLength(before + 1), { withinMs: PATIENCE });
    const [asked] = portal.requests.slice(before);
    expect(asked!.url).toBe(
      `/check?${words.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll(' ', '%20')}`,
    );
    expect(asked!.headers).toMatchObject({ 'x-channel-id': 'live/cam1', 'x-real-ip': '127.0.0.1' });
    expect(asked!.headers).not.toHaveProperty('x-usher-action');
  });

  it('lets nobody in that nobody can be asked about, where the fail mode refuses, and whoever plays play on', async () => {
    const viewer = play(address('cam1?token=gwen'));
    await eventually(() => expect(portal.requests.some(({ url }) => url.includes('gwen'))).toBe(true), {
      withinMs: PATIENCE,
    });
    await eventually(async () => expect(await sessions()).not.toEqual([]), { withinMs: PATIENCE });
    portal.status(500);
    expect(await pictureAt(address('cam1?token=hans'))).toBe('');
    const updates = nginx.log().split('notify: update').length;
    await eventually(() => expect(nginx.log().split('notify: update').length).toBeGreaterThan(updates + 2), {
      withinMs: PATIENCE,
    });
    expect(viewer.hasEnded).toBe(false);
    expect(camera.hasEnded).toBe(false);
    await viewer.stop();
  });
});
