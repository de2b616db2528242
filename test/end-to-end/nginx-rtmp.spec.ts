import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';
import { operatorsOf, same } from '../support/edge-questions.js';
import { foundSession } from '../support/found-session.js';
import { exchange } from '../support/raw-http.js';

const answered = (status: string, source = 'asked'): string =>
  `HTTP/1.1 ${status}\r\nX-Usher-Source: ${source}\r\nX-Usher-Id: …\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;

describe('an nginx with the RTMP module whose notifications go to a gateway of ours', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;

  beforeAll(async () => {
    portal = await startFakePortal();
    const config = {
      edges: {
        'rtmp-1': { dialect: 'nginx-rtmp' },
        getting: { dialect: 'nginx-rtmp', nginxRtmp: { method: 'get' } },
      },
      backends: { portal: { type: 'http', url: `${portal.url}/check`, failMode: 'closed' } },
      routes: [{ match: { action: 'publish', channel: 'live/*' }, backend: 'portal' }, { backend: 'portal' }],
    };
    cluster = await startCluster(config, ALL_IN_ONE);
  });

  beforeEach(() => {
    portal.byToken(
      {
        bad: (_, response) => response.writeHead(403).end(),
        promo: (_, response) =>
          response.writeHead(302, { Location: 'rtmp://promo.example.com/live/promo' }).end(),
      },
      (_, response) => response.writeHead(200, { 'X-UserId': 'anna' }).end(),
    );
    portal.requests.length = 0;
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  /** As nginx sends it, to the letter. */
  const notify = (form: string, word = 'nginx-rtmp'): Promise<string> =>
    exchange(
      cluster.gateway.port,
      `POST /e/rtmp-1/${word} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: Close\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
    );
  const session = (id: number, app = 'live'): string =>
    `app=${app}&flashver=LNX%209,0,124,2&swfurl=&tcurl=rtmp://live.example.com:1935/live&pageurl=&addr=192.0.2.7&clientid=${id}`;
  const play = (id: number, args: string): string =>
    `${session(id)}&call=play&name=cam1&start=4294965296&duration=0&reset=0&${args}`;
  const update = (id: number, args: string): string =>
    `${session(id)}&call=update_play&time=30&timestamp=29880&name=cam1&${args}`;
  const isOpen = async (id: number): Promise<boolean> =>
    (await cluster.redis.cli('KEYS', `usher:session:*:rtmp-1:${id}`)) !== '';

  it('is told who may play, in a status; the backend got the viewer’s query byte for byte', async () => {
    expect(same(await notify(play(1, 'x=%C3%A9%zz&&token=1&call=publish&addr=127.0.0.1')))).toBe(
      answered('200 OK'),
    );
    expect(portal.requests).toMatchObject([
      { method: 'GET', url: '/check?x=%C3%A9%zz&&token=1&call=publish&addr=127.0.0.1' },
    ]);
    expect(portal.requests[0]!.headers).toMatchObject({
      'x-session-id': '1',
      'x-channel-id': 'live/cam1',
      'x-real-ip': '192.0.2.7',
      'x-real-path': '/live/cam1',
      'x-real-ua': 'LNX 9,0,124,2',
      'x-real-host': 'live.example.com',
    });
    expect(same(await notify(play(2, 'token=bad'), 'check'))).toBe(answered('403 Forbidden'));
  });

  it('is never sent elsewhere: it would let the viewer in there', async () => {
    const answer = await notify(play(3, 'token=promo'));
    expect(same(answer)).toBe(answered('403 Forbidden'));
  });

  it('asks again about the same session, which nobody is asked about, until it ends', async () => {
    expect(same(await notify(play(4, 'token=4')))).toBe(answered('200 OK'));
    await eventually(async () => (await foundSession(cluster.redis, '4', 'rtmp-1')) !== undefined);
    expect(same(await notify(update(4, 'token=4')))).toBe(answered('200 OK', 'cache'));
    // The backend's end ends nobody who plays.
    portal.status(500);
    expect(same(await notify(update(4, 'token=4')))).toBe(answered('200 OK', 'cache'));
    expect(portal.requests).toHaveLength(1);
    expect(same(await notify(`${session(4)}&call=play_done&name=cam1&token=4`))).toBe(
      answered('200 OK', 'rule'),
    );
    await eventually(async () => !(await isOpen(4)));
    expect(same(await notify(play(5, 'token=5')))).toBe(answered('403 Forbidden', 'fail-closed'));
  });

  it('is told at its next question to cut whom an operator kicks', async () => {
    const his = (form: string): string => form.replace('192.0.2.7', '192.0.2.60');
    expect(same(await notify(his(play(6, 'token=6'))))).toBe(answered('200 OK'));
    await eventually(async () => (await foundSession(cluster.redis, '6', 'rtmp-1')) !== undefined);
    const operators = await operatorsOf(cluster.control);
    const kicked = await operators('/kicks', { session: { edge: 'rtmp-1', id: '6' }, reason: 'a test' });
    expect(kicked.status).toBe(200);
    await eventually(async () =>
      expect(same(await notify(his(update(6, 'token=6'))))).toBe(answered('403 Forbidden', 'hold')),
    );
  });

  it('is told who may publish by the same address, and let tell what it likes', async () => {
    const publish = (app: string): string => `${session(7, app)}&call=publish&name=cam1&type=live&key=1`;
    expect(same(await notify(publish('live')))).toBe(answered('200 OK'));
    expect(portal.requests[0]!.headers).toMatchObject({ 'x-usher-action': 'publish' });
    expect(same(await notify(publish('studio')))).toBe(answered('403 Forbidden', 'rule'));
    const connect = `${session(7).replace('clientid=7', 'epoch=24402369')}&call=connect`;
    expect(same(await notify(connect))).toBe(answered('200 OK', 'rule'));
  });

  it('asks with GET only where that is configured', async () => {
    const ask = (edge: string): Promise<string> =>
      exchange(
        cluster.gateway.port,
        `GET /e/${edge}/nginx-rtmp?zone=a?${play(8, 'token=8')} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n`,
      );
    expect(same(await ask('getting'))).toBe(answered('200 OK'));
    expect(await ask('rtmp-1')).toMatch(/^HTTP\/1.1 400 /);
    await eventually(() => expect(cluster.output()).toContain('edges.<name>.nginxRtmp.method'));
  });

  it.each<[string, string, number]>([
    ['no form', '{"app":"live"}', 400],
    ['nothing', '', 400],
    ['fields in another order', `call=play&name=cam1&${session(9)}`, 400],
    ['more than 64 KiB', play(9, 'x'.repeat(65_536)), 413],
    ['bytes that are no text', '\u00ff\u0000&=%', 400],
  ])('is refused where it sends %s', async (_, form, status) => {
    expect(await notify(form)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(portal.requests).toEqual([]);
  });
});
