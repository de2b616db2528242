import { digest, silentLog, type Clock, type Session } from '#usher/domain';
import { connectRedis, type RedisClient } from '#usher/redis';
import { HoldMemory, HoldTable, listSessions, RedisSessionRegistry, type NewHold } from '#usher/sessions';
import { startRedis, type RedisProcess } from '#usher/testing';
import type { AddOptions, JobQueue } from '../queues/job-queue.js';
import { kickPage, KICK_HOLD, type Kick, type KickParts, type KickTarget } from './kick.js';
import { Kicks, type KickWork } from './kicks.js';

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
  const memory = new HoldMemory(clock);
  const parts: KickParts = {
    isHeld: ({ ip, channel, userAgent, viewerKey, namespace, user }) => {
      const facts = { ip, channel, userAgent, viewerKey, credential: '' };
      return (memory.before(facts) ?? memory.ofUser(namespace, user, viewerKey)) !== undefined;
    },
    list: (query) => listSessions(redis, registry, query),
    read: (name) => registry.read(name),
    revoke: async (session) => {
      order.push(`revoke ${session.sessionId}`);
      return registry.revoke(session, 'kicked', { fingerprint: session.fingerprint });
    },
    isShared: async ({ ip }) => ip === '192.0.2.100',
    hold: async (hold: NewHold) => {
      order.push(`hold ${hold.kind}`);
      const held = await table.set(hold);
      memory.apply(held);
      return held;
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
      page = await kickPage(parts, all, { cursor: page.cursor });
      revoked += page.revoked.length;
    }
    expect(revoked).toBe(620);
  });
});

describe('while sessions are kicked', () => {
  /** A kick, what happens meanwhile, and all that is left of it. */
  async function kicked(target: KickTarget, meanwhile: () => Promise<unknown>, holdFor = KICK_HOLD) {
    const { parts, kick, order } = world();
    const jobs: (readonly [KickWork, AddOptions | undefined])[] = [];
    const kicks = new Kicks({ ...parts, canCut: (edge) => edge === 'astra-1', clock, log: silentLog });
    const queue: Pick<JobQueue<KickWork>, 'add'> = {
      add: async (work, options) => void jobs.push([work, options]),
    };
    kicks.use(queue as JobQueue<KickWork>);
    const { goesOn, cannotCut } = await kicks.kick(kick(target, holdFor));
    await meanwhile();
    const delays: (number | undefined)[] = [];
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      delays.push(job[1]?.delay);
      await kicks.work({ data: JSON.parse(JSON.stringify(job[0])) });
    }
    return { goesOn, cannotCut, delays, order };
  }
  const stateOf = async (sessionId: string) =>
    (await registry.read({ edge: 'astra-1', sessionId }))?.state ?? 'none';

  it.each<KickTarget>([
    { kind: 'user', namespace: 'portal', user: 'anna' },
    { kind: 'channel', channel: 'a001' },
    { kind: 'address', ip: '192.0.2.7' },
    { kind: 'edge', edge: 'astra-1' },
  ])(
    'whoever is let in by a gateway that had not heard of it is looked for again, and ended: %j',
    async (target) => {
      const [first, again] = [await open('1'), { openedAt: Date.now() + 1_000 }];
      const { delays, goesOn } = await kicked(target, () =>
        open('2', { ...again, viewerKey: first.viewerKey }),
      );
      expect(await stateOf('2')).toBe('revoked');
      expect(goesOn).toBe(false);
      expect(delays).toEqual([8_000]);
    },
  );

  it('says of how many their edges cannot be told to cut', async () => {
    await open('1');
    await open('2', { edge: 'plain' });
    await open('3', { edge: 'plain' });
    const { cannotCut } = await kicked(
      { kind: 'user', namespace: 'portal', user: 'anna' },
      async () => undefined,
    );
    expect(cannotCut).toBe(2);
  });

  it('what was opened before, and written late, is ended and held too', async () => {
    const openedAt = Date.now() - 1_000;
    const target = { kind: 'user', namespace: 'portal', user: 'anna' } as const;
    const { order } = await kicked(target, () => open('2', { openedAt }));
    expect(await stateOf('2')).toBe('revoked');
    expect(order).toEqual(['hold user-viewer', 'revoke 2']);
  });

  it('whoever comes since and is held by nothing plays on', async () => {
    await open('1');
    const later = { openedAt: Date.now() + 1_000 };
    await kicked({ kind: 'user', namespace: 'portal', user: 'anna' }, () => open('2', later));
    expect(await stateOf('2')).toBe('active');
    await kicked({ kind: 'channel', channel: 'a001' }, () => open('3', { openedAt: Date.now() + 1_000 }), 0);
    expect(await stateOf('3')).toBe('active');
  });

  it('each page is gone through before the second look, and that once', async () => {
    await Promise.all(Array.from({ length: 620 }, (_, i) => open(`s${i}`, { user: `user-${i}` })));
    const { delays, goesOn } = await kicked({ kind: 'edge', edge: 'astra-1' }, async () => undefined, 0);
    expect(goesOn).toBe(true);
    // The second look has two pages as well.
    expect(delays).toEqual([undefined, 8_000, undefined]);
    expect((await listSessions(redis, registry, { state: 'active' })).sessions).toEqual([]);
  });
});
