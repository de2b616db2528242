import { createHmac } from 'node:crypto';
import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';
import { post, same } from '../support/edge-questions.js';
import { foundSession } from '../support/found-session.js';

const KEY = 'ome-secret-key';
const answered = (body: string, source = 'asked'): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Usher-Source: ${source}\r\nX-Usher-Id: …\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
const DENIED = '{"allowed":false,"reason":"The backend refused this viewer."}';

describe('an OvenMediaEngine whose AdmissionWebhooks name a gateway of ours', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;

  beforeAll(async () => {
    portal = await startFakePortal();
    cluster = await startCluster(
      {
        edges: { 'ome-1': { dialect: 'ome', ome: { secret: KEY } }, other: {} },
        backends: { portal: { type: 'http', url: `${portal.url}/check` } },
        routes: [
          { match: { action: 'publish', channel: 'app/*' }, backend: 'portal' },
          { backend: 'portal' },
        ],
      },
      ALL_IN_ONE,
    );
  });

  beforeEach(() => {
    portal.byToken(
      {
        bad: (_, response) => response.writeHead(403).end(),
        hour: (_, response) => response.writeHead(200, { 'X-AuthDuration': '3600' }).end(),
      },
      (_, response) => response.writeHead(200, { 'X-UserId': 'anna' }).end(),
    );
    portal.requests.length = 0;
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  const admit = (body: string, signature = sign(body), address = '/e/ome-1/ome'): Promise<string> =>
    post(cluster.gateway.port, address, body, {
      'Content-Type': 'application/json',
      Accept: 'application/json',
      'X-OME-Signature': signature,
    });
  const sign = (body: string): string => createHmac('sha1', KEY).update(body, 'latin1').digest('base64url');
  const said = (port: number, query: string, status = 'opening', direction = 'outgoing'): string =>
    `{"client":{"address":"192.0.2.7","port":${port},"real_ip":"127.0.0.1","user_agent":"VLC/3"},"request":{"direction":"${direction}","protocol":"llhls","status":"${status}","url":"https://live.example.com:3334/app/stream/llhls.m3u8?${query}","time":"2021-05-12T13:45:00.000Z"}}`;
  const sessions = async (): Promise<number> => {
    const keys = (await cluster.redis.cli('KEYS', 'usher:session:*:ome-1:*')).split('\n').filter(Boolean);
    const found = keys.map((key) => foundSession(cluster.redis, key.split(':').at(-1)!, 'ome-1'));
    return (await Promise.all(found)).filter((session) => session !== undefined).length;
  };

  it('is told who may play, in a body; the backend got the viewer’s query byte for byte', async () => {
    expect(same(await admit(said(1, 'x=%C3%A9%zz&&token=1')))).toBe(answered('{"allowed":true}'));
    expect(portal.requests).toMatchObject([{ method: 'GET', url: '/check?x=%C3%A9%zz&&token=1' }]);
    expect(portal.requests[0]!.headers).toMatchObject({
      'x-session-id': expect.stringMatching(/^[a-z2-7]{26}$/),
      'x-channel-id': 'app/stream',
      'x-real-ip': '192.0.2.7',
      'x-real-path': '/app/stream/llhls.m3u8',
      'x-real-ua': 'VLC/3',
      'x-real-host': 'live.example.com',
    });
    const denied = said(2, 'token=bad');
    expect(same(await admit(denied, sign(denied), '/e/ome-1/check'))).toBe(answered(DENIED));
  });

  it('is told how long a session may last where the backend says so, and what is left of it later', async () => {
    expect(same(await admit(said(3, 'token=hour')))).toBe(answered('{"allowed":true,"lifetime":3600000}'));
    const [, left = ''] = /"lifetime":(\d+)\}$/.exec(await admit(said(3, 'token=hour'))) ?? [];
    expect(Number(left)).toBeGreaterThan(3_500_000);
    expect(Number(left)).toBeLessThanOrEqual(3_600_000);
    expect(portal.requests).toHaveLength(1);
  });

  it('tells when a session closes, and it is over', async () => {
    const before = await sessions();
    expect(same(await admit(said(4, 'token=c')))).toBe(answered('{"allowed":true}'));
    await eventually(async () => (await sessions()) === before + 1);
    expect(same(await admit(said(4, 'token=c', 'closing')))).toBe(answered('{}', 'rule'));
    await eventually(async () => (await sessions()) === before);
  });

  it('is told who may publish by the same address', async () => {
    expect(same(await admit(said(5, 'key=1', 'opening', 'incoming')))).toBe(answered('{"allowed":true}'));
    expect(portal.requests[0]!.headers).toMatchObject({ 'x-usher-action': 'publish' });
    expect(same(await admit(said(5, 'key=1', 'closing', 'incoming')))).toBe(answered('{}', 'rule'));
  });

  it('is refused in its own language where it does not sign with the key, and the log says what to do, now and then', async () => {
    const body = said(6, 'token=1');
    const forged = createHmac('sha1', 'another key').update(body).digest('base64url');
    for (const signature of [forged, '', sign(`${body} `)]) {
      const answer = await admit(body, signature);
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\nContent-Type: application\/json\r\n/);
      expect(answer).toMatch(/\r\n\r\n\{"allowed":false,"reason":"Usher: .*edges\.<name>\.ome\.secret.*"\}$/);
    }
    expect(await admit(body, sign(body), '/e/other/ome')).toMatch(/"allowed":false,.*is not set/);
    expect(portal.requests).toEqual([]);
    const warned = (): string[] =>
      cluster
        .output()
        .split('\n')
        .filter((line) => line.includes('ome.secret'))
        .map((line) => (JSON.parse(line) as { edge: string }).edge);
    await eventually(() => expect(warned()).toEqual(['ome-1', 'other']));
    expect(cluster.output()).not.toContain(KEY);
  });

  it.each<[string, string]>([
    ['no JSON', 'status=opening'],
    ['nothing', ''],
    ['a port that is none', said(6, '').replace('"port":6', '"port":"6"')],
    ['bytes that are no text', '{"client":\u00ff\u0000}'],
  ])('is refused in its own language where it signs %s', async (_, body) => {
    expect(await admit(body)).toMatch(
      /^HTTP\/1.1 200 OK\r\n[\s\S]*\r\n\r\n\{"allowed":false,"reason":"Usher: [^"]+"\}$/,
    );
    expect(portal.requests).toEqual([]);
  });

  it('is refused where it signs more than 64 KiB', async () => {
    expect(await admit(said(7, 'x'.repeat(65_536)))).toMatch(/^HTTP\/1.1 413 /);
  });
});
