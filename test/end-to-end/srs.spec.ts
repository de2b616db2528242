import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';
import { post, same } from '../support/edge-questions.js';
import { foundSession } from '../support/found-session.js';

const answered = (code: 0 | 1, source = 'asked'): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Usher-Source: ${source}\r\nX-Usher-Id: …\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{"code":${code}}`;

describe('an SRS whose http_hooks name a gateway of ours', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;

  beforeAll(async () => {
    portal = await startFakePortal();
    cluster = await startCluster(
      {
        edges: { 'srs-1': { dialect: 'srs' } },
        backends: { portal: { type: 'http', url: `${portal.url}/check`, failMode: 'closed' } },
        routes: [
          { match: { action: 'publish', channel: 'live/*' }, backend: 'portal' },
          { backend: 'portal' },
        ],
      },
      ALL_IN_ONE,
    );
  });

  beforeEach(() => {
    portal.byToken({ bad: (_, response) => response.writeHead(403).end() }, (_, response) =>
      response.writeHead(200, { 'X-UserId': 'anna' }).end(),
    );
    portal.requests.length = 0;
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  const hook = (body: string, word = 'srs'): Promise<string> =>
    post(cluster.gateway.port, `/e/srs-1/${word}`, body, { 'Content-Type': 'application/json' });
  const said = (action: string, id: string, param: string, stream = 'livestream'): string =>
    `{"server_id":"vid-0xk989d","service_id":"382a","action":"${action}","client_id":"${id}","ip":"192.0.2.7","vhost":"__defaultVhost__","app":"live","stream":"${stream}","tcUrl":"rtmp://live.example.com/live","param":"${param}","pageUrl":"","stream_url":"/live/${stream}","stream_id":"vid-124q9y3"}`;
  const isOpen = async (id: string): Promise<boolean> =>
    (await cluster.redis.cli('KEYS', `usher:session:*:srs-1:${id}`)) !== '';

  it('is told who may play, in a body; the backend got the viewer’s query byte for byte', async () => {
    expect(same(await hook(said('on_play', '341w361a', '?x=%C3%A9%zz&&token=1')))).toBe(answered(0));
    expect(portal.requests).toMatchObject([{ method: 'GET', url: '/check?x=%C3%A9%zz&&token=1' }]);
    expect(portal.requests[0]!.headers).toMatchObject({
      'x-session-id': '341w361a',
      'x-channel-id': 'live/livestream',
      'x-real-ip': '192.0.2.7',
      'x-real-path': '/live/livestream',
    });
    expect(same(await hook(said('on_play', '341w361b', '?token=bad'), 'check'))).toBe(answered(1));
  });

  it('asks about a playlist of HLS as about its stream', async () => {
    expect(same(await hook(said('on_play', 'h1', '?token=h1&hls_ctx=1b2c3d4e', 'livestream.m3u8')))).toBe(
      answered(0),
    );
    expect(portal.requests[0]!.headers).toMatchObject({
      'x-channel-id': 'live/livestream',
      'x-real-path': '/live/livestream.m3u8',
    });
  });

  it('tells when a session ends, and it is over', async () => {
    expect(same(await hook(said('on_play', 's1', '?token=s1')))).toBe(answered(0));
    await eventually(async () => (await foundSession(cluster.redis, 's1', 'srs-1')) !== undefined);
    expect(same(await hook(said('on_stop', 's1', '?token=s1')))).toBe(answered(0, 'rule'));
    await eventually(async () => !(await isOpen('s1')));
    expect(portal.requests).toHaveLength(1);
  });

  it('is told who may publish by the same address, and let tell what it likes', async () => {
    expect(same(await hook(said('on_publish', 'p1', '?key=1')))).toBe(answered(0));
    expect(portal.requests[0]!.headers).toMatchObject({ 'x-usher-action': 'publish' });
    const elsewhere = said('on_publish', 'p2', '?key=1').replace('"app":"live"', '"app":"studio"');
    expect(same(await hook(elsewhere))).toBe(answered(1, 'rule'));
    expect(same(await hook(said('on_unpublish', 'p1', '')))).toBe(answered(0, 'rule'));
    expect(same(await hook(said('on_connect', 'p1', '')))).toBe(answered(0, 'rule'));
  });

  it('is told no where nobody can be asked and the fail mode refuses', async () => {
    portal.status(500);
    expect(await hook(said('on_play', 'f1', '?token=f1'))).toContain('X-Usher-Source: fail-closed');
    expect(same(await hook(said('on_play', 'f2', '?token=f2')))).toBe(answered(1, 'fail-closed'));
  });

  it.each<[string, string, number]>([
    ['no JSON', 'action=on_play', 400],
    ['nothing', '', 400],
    ['a hook of another kind', said('on_forward', 'x1', ''), 400],
    ['a stream that tries to break out', said('on_play', 'x2', '', 'a","ip":"127.0.0.1'), 400],
    ['more than 64 KiB', said('on_play', 'x3', 'x'.repeat(65_536)), 413],
    ['bytes that are no text', said('on_play', 'x4', '', '\u00ff\u0000'), 400],
  ])('is refused where it sends %s', async (_, body, status) => {
    expect(await hook(body)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(portal.requests).toEqual([]);
  });
});
