import { accountLine } from '#usher/rules';
import { startFakePortal, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';
import { post } from '../support/edge-questions.js';

const KEY = 'a-key-of-the-studio-alone';

describe('who may publish', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;

  beforeAll(async () => {
    portal = await startFakePortal();
    const accounts = [accountLine({ name: 'studio-1', secret: KEY, kind: 'token' })];
    cluster = await startCluster(
      {
        edges: { 'srs-1': { dialect: 'srs' } },
        backends: { portal: { type: 'http', url: `${portal.url}/check` } },
        routes: [
          {
            match: { action: 'publish', channel: 'live/news*' },
            rules: { users: { accounts, tokenParameter: 'key' } },
          },
          { match: { action: 'publish', channel: 'live/asked' }, backend: 'portal' },
          { backend: 'portal' },
        ],
      },
      ALL_IN_ONE,
    );
  });
  beforeEach(() => {
    portal.requests.length = 0;
    portal.byToken({}, (_, response) => response.writeHead(200, { 'X-UserId': 'anna' }).end());
  });
  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  const hook = async (action: string, stream: string, param: string): Promise<string> => {
    const said = { action, client_id: `${action}-${stream}`, ip: '192.0.2.7', app: 'live', stream, param };
    const body = JSON.stringify({ ...said, vhost: '__defaultVhost__', tcUrl: 'rtmp://a/live', pageUrl: '' });
    const answer = await post(cluster.gateway.port, '/e/srs-1/srs', body, {
      'Content-Type': 'application/json',
    });
    return answer.slice(answer.indexOf('\r\n\r\n') + 4);
  };

  it.each([
    ['the key of its route', 'news1', `?key=${KEY}`, 0],
    ['another key', 'news1', `?key=${KEY}x`, 1],
    ['no key', 'news1', '', 1],
    ['the key on another channel', 'sports', `?key=${KEY}`, 1],
    ['a subscriber’s token', 'news1', '?token=123', 1],
  ])('with %s', async (_, stream, param, code) => {
    expect(await hook('on_publish', stream, param)).toBe(`{"code":${code}}`);
    expect(portal.requests).toEqual([]);
  });

  it('a key to publish is no right to play, and the portal is asked about players as ever', async () => {
    portal.byToken({}, (_, response) => response.writeHead(403).end());
    expect(await hook('on_play', 'news1', `?key=${KEY}`)).toBe('{"code":1}');
    expect(portal.requests).toHaveLength(1);
  });

  it('is asked of a backend that is told what it is asked about, each time anew, and no session is opened', async () => {
    for (const _ of [1, 2]) expect(await hook('on_publish', 'asked', '?token=1')).toBe('{"code":0}');
    expect(portal.requests.map(({ headers }) => headers['x-usher-action'])).toEqual(['publish', 'publish']);
    expect(await cluster.redis.cli('KEYS', 'usher:session:*on_publish*')).toBe('');
    await portal.stop();
    expect(await hook('on_publish', 'asked', '?token=1')).toBe('{"code":1}');
    expect(await hook('on_play', 'asked', '?token=1')).toBe('{"code":0}');
    expect(cluster.output()).not.toContain(KEY);
  });
});
