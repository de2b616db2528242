import { eventually, startFakeAstra, startFakePortal, type FakeAstra, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';
import { ASKED } from '../support/deadline.js';
import { flussonic, xtream } from '../support/middlewares.js';

const PASSWORD = 's3cret-of-anna';

describe('backends that are not asked as an Astra asks', () => {
  let panel: FakePortal;
  let tms: FakePortal;
  let cluster: UsherCluster;
  let astra: FakeAstra;

  const watch = (channel: string, path: string, query = '') => astra.play({ channel, path, query });
  const sessionOf = (id: string) =>
    eventually(async () => {
      const [key = ''] = (await cluster.redis.cli('KEYS', `usher:session:*:astra-1:${id}`)).split('\n');
      expect(key).not.toBe('');
      return (await cluster.redis.cli('HGETALL', key)).split('\n');
    });

  beforeAll(async () => {
    [panel, tms] = await Promise.all([startFakePortal(), startFakePortal()]);
    panel.behave(xtream(new Map([['anna', PASSWORD]])));
    tms.behave(flussonic(new Map([['7a', 'carl']])));
    cluster = await startCluster(
      {
        log: { level: 'trace' },
        edges: { 'astra-1': {} },
        backends: {
          panel: { type: 'xtream', url: panel.url, credential: 'reusable' },
          tms: { type: 'flussonic', url: `${tms.url}/api/drm/auth_token` },
        },
        routes: [{ match: { channel: 'tms-*' }, backend: 'tms' }, { backend: 'panel' }],
      },
      ALL_IN_ONE,
    );
    astra = await startFakeAstra({ auth: `http://127.0.0.1:${cluster.gateway.port}/e/astra-1/check` });
  });

  afterAll(async () => {
    await cluster?.stop();
    await astra?.stop();
    await Promise.all([panel?.stop(), tms?.stop()]);
  });

  it('a panel is asked about the login in the viewer’s path, once for all of his channels', async () => {
    const first = await watch('17', `/live/anna/${PASSWORD}/17.ts`);
    expect(first).toMatchObject({ allowed: true, status: 200 });
    expect(first.headers).toMatchObject({ 'x-usher-source': ASKED, 'x-session-name': 'anna' });
    expect(await watch('18', `/anna/${PASSWORD}/18`)).toMatchObject({ allowed: true });
    expect(panel.requests.map(({ url }) => url)).toEqual([
      `/player_api.php?username=anna&password=${PASSWORD}`,
    ]);
    expect(await watch('17', '/live/anna/guess/17.ts')).toMatchObject({ allowed: false, status: 403 });
    expect(await watch('17', '/live/bob/guess/17.ts')).toMatchObject({ allowed: false, status: 403 });
    const asked = panel.requests.length;
    expect(await watch('17', '/play/17/index.m3u8', 'token=1')).toMatchObject({
      allowed: false,
      status: 403,
    });
    expect(panel.requests).toHaveLength(asked);
  });

  it('a password that stands in a path is in no log, no key and no value', async () => {
    const { sessionId } = await watch('19', `/live/anna/${PASSWORD}/19.ts`);
    await watch('19', `/live/bob/${PASSWORD}/19.ts`);
    expect(await sessionOf(sessionId)).toContain('/live/anna/***/19.ts');
    await eventually(async () => {
      const told = await cluster.redis.cli('KEYS', 'usher:why:*');
      expect(told).not.toBe('');
    });
    for (const key of (await cluster.redis.cli('KEYS', '*')).split('\n')) {
      expect(key).not.toContain(PASSWORD);
      const read = READ[(await cluster.redis.cli('TYPE', key)).trim()]!;
      expect(await cluster.redis.cli(read[0]!, key, ...read.slice(1))).not.toContain(PASSWORD);
    }
    expect(cluster.output()).not.toContain(PASSWORD);
  });

  it('a Flussonic’s endpoint is asked as Flussonic asks', async () => {
    const { allowed, headers } = await watch('tms-1', '/play/tms-1/index.m3u8', 'a=1&token=7a&ip=10.0.0.1');
    expect(allowed).toBe(true);
    expect(headers).toMatchObject({ 'x-usher-source': ASKED, 'x-session-name': 'carl' });
    const asked = new URL(tms.requests.at(-1)!.url ?? '', 'http://tms').searchParams;
    expect(Object.fromEntries(asked)).toMatchObject({
      name: 'tms-1',
      proto: 'hls',
      ip: '192.0.2.7',
      request_type: 'new_session',
      token: '7a',
      qs: 'a=1&token=7a&ip=10.0.0.1',
    });
    expect(await watch('tms-1', '/play/tms-1/index.m3u8', 'token=guess')).toMatchObject({
      allowed: false,
      status: 403,
    });
  });
});

/** How to read all of a key, by its type. */
const READ: Readonly<Record<string, readonly string[]>> = {
  string: ['GET'],
  hash: ['HGETALL'],
  set: ['SMEMBERS'],
  zset: ['ZRANGE', '0', '-1', 'WITHSCORES'],
  list: ['LRANGE', '0', '-1'],
  stream: ['XRANGE', '-', '+'],
};
