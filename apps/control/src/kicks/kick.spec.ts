import { digest, type Clock, type Session } from '#usher/domain';
import { connectRedis, type RedisClient } from '#usher/redis';
import { HoldTable, listSessions, RedisSessionRegistry, type NewHold } from '#usher/sessions';
import { startRedis, type RedisProcess } from '#usher/testing';
import { kickPage, KICK_HOLD, type Kick, type KickParts, type KickTarget } from './kick.js';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

let server: RedisProcess;
let redis: RedisClient;
let registry: RedisSessionRegistry;
let table: HoldTable;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  registry = new RedisSessionRegistry(redis, clock, { shards: 4 });
  table = new HoldTable(redis);
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

async function open(sessionId: string, part: Partial<Session> = {}): Promise<Session> {
  const session: Session = {
    edge: 'astra-1',
    sessionId,
    fingerprint: digest('fingerprint', sessionId),
    viewerKey: digest('viewer', sessionId),
    channel: 'a001',
    ip: '192.0.2.7',
    userAgent: 'VLC/3',
    host: 'live.example.com',
    path: '/play/a001',
    dialect: 'astra',
    backend: 'portal',
    namespace: 'portal',
    user: 'anna',
    sessionName: '',
    state: 'active',
    source: 'backend',
    presence: 'assumed',
    openedAt: Date.now(),
    authorizedUntil: 0,
    aliveUntil: Date.now() + 3_600_000,
    ...part,
  };
  await registry.open(session);
  return session;
}

function world() {
  const order: string[] = [];
  const parts: KickParts = {
    list: (query) => listSessions(redis, registry, query),
    read: (name) => registry.read(name),
    revoke: async (session) => {
      order.push(`revoke ${session.sessionId}`);
      return registry.revoke(session, 'kicked', { fingerprint: session.fingerprint });
    },
    isShared: async ({ ip }) => ip === '192.0.2.100',
    hold: (hold: NewHold) => {
      order.push(`hold ${hold.kind}`);
      return table.set(hold);
    },
  };
  const kick = (target: KickTarget, holdFor = KICK_HOLD): Kick => ({
    target,
    by: 'operator',
    reason: 'asked to',
    holdFor,
  });
  const ids = (sessions: readonly Session[]) => sessions.map(({ sessionId }) => sessionId).sort();
  return { parts, kick, order, ids };
}

describe('a kick', () => {
  it('of a session holds its user on its device first, then revokes it, and no other', async () => {
    const { parts, kick, order, ids } = world();
    const session = await open('1');
    await open('2');
    const { revoked, holds } = await kickPage(
      parts,
      kick({ kind: 'session', edge: 'astra-1', sessionId: '1' }),
    );
    expect(ids(revoked)).toEqual(['1']);
    expect(order).toEqual(['hold user-viewer', 'revoke 1']);
    expect(holds).toMatchObject([
      {
        subject: `portal/anna/${session.viewerKey}`,
        effect: 'refuse',
        origin: 'kick',
        by: 'operator',
        reason: 'asked to',
      },
    ]);
    expect(Math.round((holds[0]!.until - holds[0]!.since) / 1000)).toBe(60);
    expect((await registry.read({ edge: 'astra-1', sessionId: '2' }))?.state).toBe('active');
  });

  it('of a session whose user nobody named holds the viewer key', async () => {
    const { parts, kick, order } = world();
    await open('1', { user: '' });
    await kickPage(parts, kick({ kind: 'session', edge: 'astra-1', sessionId: '1' }));
    expect(order).toEqual(['hold viewer', 'revoke 1']);
  });

  it('of a session whose user nobody named holds nobody where several people have its viewer key', async () => {
    const { parts, kick, order } = world();
    await open('1', { user: '', ip: '192.0.2.100' });
    await kickPage(parts, kick({ kind: 'session', edge: 'astra-1', sessionId: '1' }));
    expect(order).toEqual(['revoke 1']);
  });

  it('of a user ends all of his sessions on all edges, each device held', async () => {
    const { parts, kick, ids } = world();
    await open('1');
    await open('2', { edge: 'astra-2' });
    await open('3', { user: 'bob' });
    const { revoked, holds } = await kickPage(
      parts,
      kick({ kind: 'user', namespace: 'portal', user: 'anna' }),
    );
    expect(ids(revoked)).toEqual(['1', '2']);
    expect(holds.map(({ kind }) => kind)).toEqual(['user-viewer', 'user-viewer']);
  });

  it.each<[KickTarget, string]>([
    [{ kind: 'channel', channel: 'a001' }, 'hold channel'],
    [{ kind: 'address', ip: '192.0.2.7' }, 'hold address'],
  ])('of %j holds just that, once, and ends whoever is there', async (target, hold) => {
    const { parts, kick, order, ids } = world();
    await open('1');
    await open('2', { user: 'bob' });
    await open('3', { channel: 'a002', ip: '192.0.2.8' });
    expect(ids((await kickPage(parts, kick(target))).revoked)).toEqual(['1', '2']);
    expect(order[0]).toBe(hold);
    expect(order.filter((step) => step.startsWith('hold'))).toHaveLength(1);
  });

  it('without a hold sets none', async () => {
    const { parts, kick, order } = world();
    await open('1');
    await kickPage(parts, kick({ kind: 'edge', edge: 'astra-1' }, 0));
    expect(order).toEqual(['revoke 1']);
  });

  it('that is done again finds nothing left', async () => {
    const { parts, kick, ids } = world();
    await open('1');
    const all = kick({ kind: 'edge', edge: 'astra-1' });
    expect(ids((await kickPage(parts, all)).revoked)).toEqual(['1']);
    expect((await kickPage(parts, all)).revoked).toEqual([]);
  });

  it('of an edge with more sessions than a page goes on page by page, until all are revoked', async () => {
    const { parts, kick } = world();
    await Promise.all(Array.from({ length: 620 }, (_, i) => open(`s${i}`, { user: `user-${i}` })));
    const all = kick({ kind: 'edge', edge: 'astra-1' }, 0);
    let page = await kickPage(parts, all);
    let revoked = page.revoked.length;
    for (let pages = 1; page.cursor !== undefined && pages < 10; pages += 1) {
      page = await kickPage(parts, all, page.cursor);
      revoked += page.revoked.length;
    }
    expect(revoked).toBe(620);
  });
});
