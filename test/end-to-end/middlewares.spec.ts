import { eventually, startFakeAstra, startFakePortal, type FakeAstra, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';
import { ASKED } from '../support/deadline.js';
import { endpoint, iptvportal, ministra, smarty } from '../support/middlewares.js';

const KINDS = ['ministra', 'iptvportal', 'smarty', 'http'] as const;
type Kind = (typeof KINDS)[number];

/** What an operator writes as the middleware's address. */
const BASE = { ministra: '/stalker_portal', iptvportal: '', smarty: '', http: '/check' };
const SCRIPT = {
  ministra: '/stalker_portal/server/api/chk_flussonic_tmp_link.php',
  iptvportal: '/auth/arescrypt/',
  smarty: '/tvmiddleware/api/streamservice/token/check/',
  http: '/check',
};

describe('an Astra whose HTTP Request backend is a cluster of ours', () => {
  const tokens = new Map([
    ['7a', 'anna'],
    ['7b', 'anna'],
  ]);
  let portals: Record<Kind, FakePortal>;
  let cluster: UsherCluster;
  let astra: FakeAstra;

  const play = (kind: Kind, query: string, more: object = {}) =>
    astra.play({ channel: `${kind}-1`, query, ...more });

  beforeAll(async () => {
    const started = await Promise.all(KINDS.map(() => startFakePortal()));
    portals = Object.fromEntries(KINDS.map((kind, at) => [kind, started[at]!])) as Record<Kind, FakePortal>;
    cluster = await startCluster(
      {
        edges: { 'astra-1': {} },
        backends: Object.fromEntries(
          KINDS.map((kind) => [kind, { type: kind, url: portals[kind].url + BASE[kind] }]),
        ),
        routes: KINDS.map((kind) => ({ match: { channel: `${kind}-*` }, backend: kind })),
      },
      ALL_IN_ONE,
    );
    astra = await startFakeAstra({ auth: `http://127.0.0.1:${cluster.gateway.port}/e/astra-1/check` });
  });

  beforeEach(() => {
    portals.ministra.behave(ministra(tokens));
    portals.iptvportal.behave(iptvportal(tokens));
    portals.smarty.behave(smarty(tokens));
    portals.http.behave(endpoint(tokens));
  });

  afterAll(async () => {
    await cluster?.stop();
    await astra?.stop();
    await Promise.all(Object.values(portals ?? {}).map((portal) => portal.stop()));
  });

  it.each(KINDS)('lets in whom %s allows, and nobody whom it refuses', async (kind) => {
    const allowed = await play(kind, 'token=7a');
    expect(allowed).toMatchObject({ allowed: true, answered: true, status: 200 });
    expect(allowed.headers['x-usher-source']).toEqual(ASKED);
    const refused = await play(kind, 'token=guess');
    expect(refused).toMatchObject({ allowed: false, answered: true, status: 403 });
    expect(refused.headers['x-usher-source']).toEqual(ASKED);
  });

  it.each(['ministra', 'http'] as const)(
    'shows the name that %s gives a viewer, and keeps it',
    async (kind) => {
      const { sessionId, headers } = await play(kind, 'token=7b');
      expect(headers['x-session-name']).toBe('anna');
      const session = await eventually(async () => {
        const [key = ''] = (await cluster.redis.cli('KEYS', `usher:session:*:astra-1:${sessionId}`)).split(
          '\n',
        );
        expect(key).not.toBe('');
        return cluster.redis.cli('HGETALL', key);
      });
      expect(session.split('\n')).toEqual(
        expect.arrayContaining([`${kind}/anna`, `${kind}-1`, '192.0.2.7', `/play/${kind}-1/index.m3u8`]),
      );
    },
  );

  it.each(KINDS)('asks %s at its own script, with the viewer’s query byte for byte', async (kind) => {
    const query = 'x=%C3%A9%zz&&token=7a&empty=&?=|"\'';
    await play(kind, query);
    const asked = portals[kind].requests.at(-1)!;
    expect(asked).toMatchObject({ method: 'GET', url: `${SCRIPT[kind]}?${query}` });
    expect(asked.headers).toMatchObject({
      'x-session-id': expect.stringMatching(/^\d+$/),
      'x-channel-id': `${kind}-1`,
      'x-real-ip': '192.0.2.7',
      'x-real-path': `/play/${kind}-1/index.m3u8`,
      'x-real-ua': 'VLC/3.0.20 LibVLC/3.0.20',
      'x-real-host': 'live.example.com',
    });
  });

  it('takes a 200 of Smarty with an error for the refusal that it is', async () => {
    expect(await play('smarty', 'token=7a&name=other')).toMatchObject({ allowed: false, status: 403 });
  });

  it('takes the error page of a Ministra whose PHP died for a failure, never for an allow or a denial', async () => {
    portals.ministra.garbage('page');
    const played = await play('ministra', 'token=other', { ip: '192.0.2.66' });
    expect(played).toMatchObject({ allowed: true, status: 200 });
    expect(played.headers['x-usher-source']).toBe('fail-open');
  });

  it('keeps the allow of a Ministra token that has died since', async () => {
    tokens.set('7c', 'carl');
    const { sessionId } = await play('ministra', 'token=7c');
    tokens.delete('7c');
    const asked = portals.ministra.requests.length;
    const again = await play('ministra', 'token=7c', { sessionId });
    expect(again).toMatchObject({ allowed: true, status: 200 });
    expect(again.headers['x-session-name']).toBe('carl');
    expect(portals.ministra.requests).toHaveLength(asked);
  });

  it('lets in on trust, as Astra would by itself, while a middleware is down', async () => {
    await portals.iptvportal.down();
    const played = await play('iptvportal', 'token=other', { ip: '192.0.2.67' });
    await portals.iptvportal.up();
    expect(played).toMatchObject({ allowed: true, answered: true, status: 200 });
    expect(played.headers['x-usher-source']).toBe('fail-open');
  });
});
