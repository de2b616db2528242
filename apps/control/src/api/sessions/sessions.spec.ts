import { Why } from '#usher/decisions';
import { silentLog, type Check, type Session } from '#usher/domain';
import { RedisSessionRegistry } from '#usher/sessions';
import { later } from '#usher/testing';
import { aSession, startApiWorld, type ApiWorld } from '../for-tests.js';

let world: ApiWorld;
let registry: RedisSessionRegistry;
let openedAt: number;

beforeAll(async () => {
  world = await startApiWorld({
    backends: {
      portal: { type: 'http', url: 'http://127.0.0.1:9/' },
      billing: { type: 'http', url: 'http://127.0.0.1:9/', namespace: 'subscribers' },
    },
    routes: [{ backend: 'portal' }],
  });
  registry = new RedisSessionRegistry(world.redis, world.clock, { shards: world.node.config.redis.shards });
});
beforeEach(async () => {
  await world.server.cli('FLUSHALL');
  openedAt = Math.floor(world.clock.now()) - 60_000;
});
afterAll(() => world?.stop());

const open = (parts: Partial<Session>) => registry.open(aSession(openedAt, parts));
interface Listed {
  sessions: { session: string }[];
  cursor?: string;
}
const ids = ({ sessions }: Listed) => sessions.map(({ session }) => session).sort();
const list = async (query: string): Promise<string[]> =>
  ids((await world.get(`/sessions?${query}`)) as Listed);

async function listAll(query: string): Promise<string[]> {
  const found: string[] = [];
  for (let cursor = ''; ;) {
    const page = (await world.get(`/sessions?${query}${cursor}`)) as Listed;
    found.push(...ids(page));
    if (page.cursor === undefined) return found.sort();
    cursor = `&cursor=${page.cursor}`;
  }
}

describe('GET /sessions', () => {
  it('shows who is watching', async () => {
    await open({});
    expect(await world.get('/sessions')).toEqual({
      sessions: [
        {
          edge: 'astra-1',
          session: '1',
          user: '100500',
          namespace: 'portal',
          name: 'Anna',
          channel: 'a001',
          address: '192.0.2.7',
          userAgent: 'VLC/3.0',
          host: 'live.example.com',
          path: '/play/a001/index.m3u8',
          dialect: 'astra',
          backend: 'portal',
          state: 'active',
          source: 'backend',
          presence: 'assumed',
          openedAt: new Date(openedAt).toISOString(),
          authorizedUntil: null,
          aliveUntil: new Date(openedAt + 14_400_000).toISOString(),
        },
      ],
    });
  });

  it('filters by each thing, and by several', async () => {
    await open({ sessionId: 'a', user: 'u1', channel: 'news', edge: 'e1', ip: '192.0.2.1' });
    await open({
      sessionId: 'b',
      user: 'u1',
      channel: 'sport',
      edge: 'e2',
      ip: '192.0.2.2',
      presence: 'listed',
    });
    await open({
      sessionId: 'c',
      user: 'u2',
      channel: 'news',
      edge: 'e1',
      ip: '192.0.2.2',
      namespace: 'subscribers',
    });
    await open({
      sessionId: 'd',
      user: '',
      channel: 'news',
      edge: 'e1',
      state: 'on-trust',
      source: 'fail-open',
    });
    expect(await list('user=u1&namespace=portal')).toEqual(['a', 'b']);
    expect(await list('user=u2&namespace=subscribers')).toEqual(['c']);
    expect(await list('channel=news')).toEqual(['a', 'c', 'd']);
    expect(await list('edge=e2')).toEqual(['b']);
    expect(await list('address=192.0.2.2')).toEqual(['b', 'c']);
    expect(await list('state=on-trust')).toEqual(['d']);
    expect(await list('source=fail-open')).toEqual(['d']);
    expect(await list('presence=listed')).toEqual(['b']);
    expect(await list('channel=news&edge=e1&address=192.0.2.1')).toEqual(['a']);
    expect(await list('channel=nothing')).toEqual([]);
  });

  it('finds an address however it is written there or here', async () => {
    const user = '';
    await open({ sessionId: 'mapped', user, ip: '::ffff:192.0.2.9' });
    await open({ sessionId: 'plain', user: 'u9', ip: '192.0.2.9' });
    await open({ sessionId: 'long', user, ip: '2001:DB8:0:0::9' });
    for (const address of ['192.0.2.9', '::FFFF:192.0.2.9', '::ffff:c000:209'])
      expect(await list(`address=${address}`)).toEqual(['mapped', 'plain']);
    for (const address of ['2001:db8::9', '2001:0db8:0000:0000:0000:0000:0000:0009'])
      expect(await list(`address=${address}`)).toEqual(['long']);
    expect(await list('address=::ffff:192.0.2.9&user=u9&namespace=portal')).toEqual(['plain']);
  });

  it('pages through all, with every filter', async () => {
    const many = Array.from({ length: 130 }, (_, i) => i);
    await Promise.all(
      many.map((i) => open({ sessionId: `s${i}`, user: `u${i % 3}`, ip: `192.0.2.${i % 2}` })),
    );
    expect(await listAll('limit=7')).toHaveLength(130);
    expect(new Set(await listAll('limit=7')).size).toBe(130);
    expect(await listAll('limit=4&address=192.0.2.1')).toHaveLength(65);
    expect(await listAll('limit=500&address=192.0.2.1')).toHaveLength(65);
    expect(await listAll('limit=9&user=u1&namespace=portal')).toHaveLength(43);
  });

  it('takes and shows names as text, whatever is in them', async () => {
    const bytes = Buffer.from('новости/1 ?', 'utf8').toString('latin1');
    await open({ sessionId: bytes, channel: bytes, user: bytes });
    const name = encodeURIComponent('новости/1 ?');
    expect(await list(`channel=${name}`)).toEqual(['новости/1 ?']);
    expect(await list(`user=${name}&namespace=portal`)).toEqual(['новости/1 ?']);
    expect((await world.get(`/sessions/astra-1/${name}`)).session.channel).toBe('новости/1 ?');
    expect((await world.get(`/users/portal/${name}`)).sessions).toHaveLength(1);
  });

  it.each([
    ['limit=0', 'limit', /from 1 to 500/],
    ['state=open', 'state', /one of active, on-trust/],
    ['cursor=nonsense', 'cursor', /not one that a list gave out/],
    ['user=u1', 'namespace', /one of portal, subscribers/],
    ['user=u1&namespace=other', 'namespace', /one of portal, subscribers/],
    ['namespace=portal', 'namespace', /goes with user only/],
    ['usr=u1', 'usr', /unknown; allowed: user, namespace/],
  ])('says what is wrong with ?%s', async (query, parameter, says) => {
    expect(await world.call(`/sessions?${query}`)).toMatchObject({
      status: 400,
      body: { errors: [{ parameter, says: expect.stringMatching(says) }] },
    });
  });
});

describe('GET /sessions/{edge}/{id}', () => {
  it('tells its history: its events, and the answers that its edge got', async () => {
    const { redis: shared, why: bounds } = world.node.config;
    const traits = { shards: shared.shards, bounds, namespaceOf: (name: string) => name };
    const why = new Why({ clock: world.clock, log: silentLog, redis: world.redis, ...traits });
    const check = {
      id: 'c1',
      edge: 'astra-1',
      sessionId: '1',
      channel: 'a001',
      ip: '192.0.2.7',
      query: 'token=x',
    };
    const decision = {
      allow: true,
      source: 'backend',
      reason: 'backend-allowed',
      backend: 'portal',
      user: '100500',
    } as const;
    why.record(
      {
        ...check,
        dialect: 'astra',
        sessionGiven: true,
        path: '',
        userAgent: '',
        host: '',
        origin: '',
      } as Check,
      { decision },
    );
    why.record(
      {
        ...check,
        id: 'c2',
        sessionId: '2',
        dialect: 'astra',
        path: '',
        userAgent: '',
        host: '',
        origin: '',
        sessionGiven: true,
      } as Check,
      { decision },
    );
    await why.close();
    await open({ user: '' });
    await open({ user: '100500' });
    await open({ sessionId: '2' });
    const { session, history, complete } = await world.get('/sessions/astra-1/1');
    expect(session).toMatchObject({ session: '1', user: '100500' });
    expect(complete).toBe(true);
    const said = (history as { what: string; says: string }[]).map(({ what, says }) => [what, says]);
    expect(said).toEqual(
      expect.arrayContaining([
        ['answer', 'The backend allowed it.'],
        ['opened', 'The session began.'],
      ]),
    );
    expect(said.filter(([what]) => what === 'answer')).toHaveLength(1);
  });

  it('tells of one that ended under this id before', async () => {
    await open({ fingerprint: 'old', user: '7' });
    await registry.close({ edge: 'astra-1', sessionId: '1' }, 'kicked');
    await open({ user: '7' });
    const { history } = await world.get('/sessions/astra-1/1');
    expect(JSON.stringify(history)).toContain('The session ended: an operator ended it.');
  });

  it('tells of one that ended, with its end, as long as its events are kept', async () => {
    await open({ user: '', state: 'on-trust', source: 'fail-open' });
    await open({ user: '100500' });
    await later();
    await registry.close({ edge: 'astra-1', sessionId: '1' }, 'closed-by-edge');
    const { session, ended, history, complete } = await world.get('/sessions/astra-1/1');
    expect(session).toMatchObject({
      edge: 'astra-1',
      session: '1',
      user: '100500',
      namespace: 'portal',
      name: 'Anna',
      channel: 'a001',
      address: '192.0.2.7',
      userAgent: 'VLC/3.0',
      path: '/play/a001/index.m3u8',
      state: 'active',
      source: 'backend',
    });
    expect(ended).toMatchObject({ reason: 'closed-by-edge', checks: 1 });
    expect(ended.lastedMs).toBeGreaterThanOrEqual(60_000);
    expect(complete).toBe(true);
    expect((history as { what: string }[]).map(({ what }) => what)).toEqual([
      'opened',
      'opened',
      'moved',
      'closed',
    ]);
    await world.server.cli('FLUSHALL');
    expect((await world.call('/sessions/astra-1/1')).status).toBe(404);
  });

  it('tells what changed, and what was before it moved to its user’s shard', async () => {
    await open({ user: '', state: 'on-trust', source: 'fail-open' });
    await open({ user: '', state: 'on-trust', source: 'known' });
    // Of two shards' events in one millisecond nobody knows which was first.
    for (const then = Date.now(); Date.now() <= then;);
    await open({ user: '100500', openedAt: openedAt + 30_000 });
    const { ended, history } = await world.get('/sessions/astra-1/1');
    expect(ended).toBeNull();
    expect((history as { says: string }[]).map(({ says }) => says)).toEqual([
      'The session began.',
      'The session goes on otherwise: source fail-open → known.',
      'The session began.',
      'The session’s user became known.',
    ]);
  });

  it('of one that is not there says where else to look', async () => {
    expect(await world.call('/sessions/astra-1/none')).toMatchObject({
      status: 404,
      body: { type: 'urn:usher:problem:not-found', whatToDo: expect.stringContaining('/api/v1/why?edge=') },
    });
  });
});

describe('the other lists', () => {
  it('GET /users/{namespace}/{user}: what he watches', async () => {
    await open({ sessionId: 'a' });
    await open({ sessionId: 'b', edge: 'e2' });
    await open({ sessionId: 'c', user: 'other' });
    const found = await world.get('/users/portal/100500');
    expect(ids(found as Listed)).toEqual(['a', 'b']);
    expect(found).toMatchObject({ more: false, answers: [] });
    expect(await world.call('/users/portal/nobody')).toMatchObject({ status: 404 });
    expect(await world.call('/users/nowhere/nobody')).toMatchObject({ status: 400 });
  });

  it('GET /counts', async () => {
    await open({ sessionId: 'a' });
    await open({ sessionId: 'b', presence: 'listed', state: 'on-trust', source: 'fail-open', user: '' });
    expect(await world.get('/counts')).toEqual({
      total: 2,
      presence: { assumed: 1, listed: 1 },
      state: { active: 1, 'on-trust': 1 },
    });
  });

  it('GET /top by channel, edge and user', async () => {
    for (let i = 0; i < 6; i += 1) {
      await open({
        sessionId: `s${i}`,
        channel: i < 4 ? 'news' : 'sport',
        edge: `e${i % 2}`,
        user: i < 3 ? 'big' : `u${i}`,
      });
    }
    expect(await world.get('/top?by=channel')).toMatchObject({
      by: 'channel',
      total: 6,
      drawn: 6,
      exact: true,
      top: [
        { name: 'news', sessions: 4 },
        { name: 'sport', sessions: 2 },
      ],
    });
    expect((await world.get('/top?by=user&limit=1')).top).toEqual([
      { name: 'big', namespace: 'portal', sessions: 3 },
    ]);
    expect((await world.get('/top?by=edge')).top).toHaveLength(2);
    expect(await world.call('/top')).toMatchObject({ status: 400, body: { errors: [{ parameter: 'by' }] } });
  });
});
