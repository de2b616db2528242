import { configSchema } from '#usher/config';
import { compileRoutes, identify, traitsOf, type CheckContext } from '#usher/decisions';
import { credentialKeyOf, type Check, type Decision, type Hold } from '#usher/domain';
import type { NewHold } from '#usher/sessions';
import { SuspectCounts } from '#usher/sessions';
import { connectRedis, type RedisClient } from '#usher/redis';
import { eventually, ManualClock, startRedis, type RedisProcess } from '#usher/testing';
import { Protection } from './protection.js';

let server: RedisProcess;
let redis: RedisClient;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});
beforeEach(() => redis.call('FLUSHALL', []));
afterAll(async () => {
  await redis.close();
  await server.stop();
});

/** As many gateways as wanted over one Redis. */
function world(protection: Record<string, unknown> = {}, gateways = 1) {
  const config = configSchema.parse({
    backends: { portal: { type: 'http', url: 'http://portal.example.com', device: 'mac' } },
    edges: { 'nginx-1': { addresses: ['10.0.0.11', '2001:db8:0:11::5'] } },
    gateway: { proxies: ['10.0.1.0/24'] },
    protection: { mode: 'enforce', ...protection },
  });
  const clock = new ManualClock();
  const held: NewHold[] = [];
  const told: Record<string, unknown>[] = [];
  const guards = Array.from(
    { length: gateways },
    () =>
      new Protection({
        config,
        clock,
        log: { debug() {}, info() {}, warn() {}, error() {} } as never,
        counts: new SuspectCounts(redis, 16),
        holds: { set: async (hold) => (held.push(hold), hold as unknown as Hold) },
        events: { tell: async (type, about, facts) => void told.push({ type, about, ...facts }) },
        namespaceOf: () => 'portal',
      }),
  );
  let ids = 0;
  const route = compileRoutes(config);
  const context = (part: Partial<Check>): CheckContext => {
    const facts = {
      id: `check-${(ids += 1)}`,
      dialect: 'astra' as const,
      edge: 'astra-1',
      channel: 'a001',
      ip: '192.0.2.7',
      path: '',
      userAgent: 'VLC/3',
      host: '',
      origin: '',
      query: 'token=123',
      ...part,
    };
    const at = route(facts);
    const named = identify(facts, 's1', at, traitsOf(config));
    return { ...named, route: at, habit: 'once', opensWhenAlone: true, deadline: Infinity };
  };
  const decide = (part: Partial<Check>, decision: Decision, asker = '10.0.0.11'): void => {
    const guard = guards[ids % gateways]!;
    guard.note(context(part), { decision }, asker);
  };
  const denied = (part: Partial<Check>) =>
    decide(part, { allow: false, source: 'backend', reason: 'backend-denied', backend: 'portal' });
  const allowed = (part: Partial<Check>, user = 'anna') =>
    decide(part, { allow: true, source: 'backend', reason: 'backend-allowed', backend: 'portal', user });
  const results = () => guards.flatMap((guard) => [...guard.results.values()].map(({ result }) => result));
  return { guards, held, told, denied, allowed, decide, results };
}

const times = (count: number, act: (i: number) => void) => {
  for (let i = 0; i < count; i += 1) act(i);
};

describe('whoever passes a limit is held', () => {
  it('an address that tries many tokens, over all gateways, by one hold that says why', async () => {
    const { denied, held, told, results } = world({ deniedTokens: 16, deniedDevices: 0 }, 2);
    times(24, (i) => denied({ query: `token=guess-${i}` }));
    await eventually(() => expect(held).toHaveLength(1));
    expect(held[0]).toMatchObject({
      kind: 'address',
      subject: '192.0.2.7',
      effect: 'refuse',
      origin: 'protection',
      reason: '17 different tokens refused within 10 min',
      time: { lasts: 900_000 },
    });
    await eventually(() =>
      expect(told).toMatchObject([{ measure: 'deniedTokens', result: 'held', limit: 16 }]),
    );
    expect(results()).toEqual(['held']);
    expect(JSON.stringify([held, told])).not.toContain('guess');
  });

  it('an address that scans MACs', async () => {
    const { denied, held } = world({ deniedTokens: 0 });
    times(26, (i) => denied({ query: `mac=00:1A:79:00:00:${i}` }));
    await eventually(() => expect(held).toMatchObject([{ kind: 'address', subject: '192.0.2.7' }]));
  });

  it('a token that is refused again and again, by its digest', async () => {
    const { denied, held } = world({ deniedAttempts: 50 });
    times(51, (i) => denied({ ip: `198.51.100.${i}` }));
    await eventually(() =>
      expect(held).toMatchObject([{ kind: 'credential', subject: credentialKeyOf('token=123') }]),
    );
  });

  it('a token that is good on many networks, and the user whose it is', async () => {
    const { allowed, held } = world({ networksPerToken: 5, networksPerUser: 8, devicesPerUser: 0 });
    times(9, (i) => allowed({ ip: `198.51.${i}.1`, userAgent: 'VLC/3' }));
    await eventually(() => expect(held.map(({ kind }) => kind).sort()).toEqual(['credential', 'user']));
    expect(held.find(({ kind }) => kind === 'user')?.subject).toBe('portal/anna');
  });

  it('an address of IPv6 with its whole /64, in which everybody has as many as he likes', async () => {
    const { denied, held } = world({ deniedTokens: 16, deniedDevices: 0 });
    times(24, (i) => denied({ ip: `2001:db8:0:7:${i}::1`, query: `token=guess-${i}` }));
    await eventually(() =>
      expect(held).toMatchObject([{ kind: 'network', subject: '2001:db8:0:7::/64', origin: 'protection' }]),
    );
  });

  it.each([
    ['devices', { devicesPerUser: 4 }, (i: number): Partial<Check> => ({ query: `mac=${i}` })],
    ['channels', { channelsPerUser: 4 }, (i: number): Partial<Check> => ({ channel: `c${i}` })],
  ])('a user on many %s', async (_, limits, part) => {
    const { allowed, held } = world(limits);
    times(5, (i) => allowed(part(i)));
    await eventually(() => expect(held).toMatchObject([{ kind: 'user', subject: 'portal/anna' }]));
  });
});

describe('nobody is held', () => {
  /** Behind what was counted last nothing is under way any more. */
  const settled = async ({ denied, held }: ReturnType<typeof world>) => {
    times(60, (i) => denied({ ip: '203.0.113.1', query: `token=last-${i}` }));
    await eventually(() => expect(held.some(({ subject }) => subject === '203.0.113.1')).toBe(true));
    return held.filter(({ subject }) => subject !== '203.0.113.1');
  };

  it('for watching as people do, and nothing of it is in Redis', async () => {
    const all = world();
    times(50, (i) => all.allowed({ channel: `c${i % 20}`, query: 'mac=1' }));
    times(30, () => all.denied({ query: 'mac=1' }));
    expect(await server.cli('KEYS', 'usher:suspect:*')).not.toContain('channelsPerUser');
    expect(await settled(all)).toEqual([]);
  });

  it('for what was not decided: an outage, a limit, a hold', async () => {
    const all = world();
    for (const reason of ['on-trust', 'limit-reached', 'held-refused', 'refused-unavailable'] as const) {
      times(60, (i) =>
        all.decide({ query: `token=${reason}-${i}` }, { allow: false, source: 'rule', reason }),
      );
    }
    expect(await settled(all)).toEqual([]);
  });

  it.each(['10.0.0.11', '10.0.1.7'])('at %s: it is an edge’s or a load balancer’s', async (ip) => {
    const all = world();
    times(60, (i) => all.denied({ ip, query: `token=${i}` }));
    await eventually(() => expect(all.results()).toContain('spared'));
    expect(await settled(all)).toEqual([]);
  });

  it('at 10.9.9.9: an edge asks from there that is named by its URL, and names no viewer’s address', async () => {
    const all = world();
    const refusal = { allow: false, source: 'backend', reason: 'backend-denied', backend: 'portal' } as const;
    times(60, (i) => all.decide({ ip: '10.9.9.9', query: `token=${i}` }, refusal, '10.9.9.9'));
    await eventually(() => expect(all.results()).toContain('spared'));
    expect(await settled(all)).toEqual([]);
  });

  it.each(['2001:db8:0:11::5', '2001:db8:0:11::6'])('at %s: it shares its /64 with an edge', async (ip) => {
    const all = world();
    times(60, (i) => all.denied({ ip, query: `token=${i}` }));
    await eventually(() => expect(all.results()).toContain('spared'));
    expect(await settled(all)).toEqual([]);
  });

  it('for a query that is everybody’s, nor one that a rule lets in, from many networks', async () => {
    const all = world({ networksPerUser: 0, devicesPerUser: 0 });
    const byRule = { allow: true, source: 'rule', reason: 'rule-allowed' } as const;
    times(30, (i) => all.allowed({ ip: `198.51.${i}.1`, query: 'lang=de' }, ''));
    times(30, (i) => all.decide({ ip: `198.51.${i}.1`, query: 'token=free' }, byRule));
    times(200, (i) => all.denied({ ip: `198.51.${i}.1`, query: 'lang=de' }));
    expect(await settled(all)).toEqual([]);
  });

  it('for a token that several users have', async () => {
    const all = world({ networksPerUser: 0, devicesPerUser: 0 });
    times(2, (i) => all.allowed({ query: 'token=app' }, `user-${i}`));
    await eventually(async () => expect(await server.cli('KEYS', '*users-at*')).not.toBe(''));
    times(30, (i) => all.allowed({ ip: `198.51.${i}.1`, query: 'token=app' }, `user-${i % 5}`));
    await eventually(() => expect(all.results()).toContain('spared'));
    expect(await settled(all)).toEqual([]);
  });

  it('for having one address after the other of a carrier’s pool', async () => {
    const all = world();
    times(200, (i) => all.allowed({ ip: `198.51.100.${i}`, query: 'token=1&mac=1' }));
    expect(await settled(all)).toEqual([]);
  });

  it('at an address behind which many users are', async () => {
    const all = world({ usersPerAddress: 20 });
    times(21, (i) => all.allowed({ query: `token=good-${i}` }, `user-${i}`));
    await eventually(async () => expect(await server.cli('KEYS', '*users-at*')).toContain('192.0.2.7'));
    times(60, (i) => all.denied({ query: `token=${i}` }));
    await eventually(() => expect(all.results()).toContain('spared'));
    expect(await settled(all)).toEqual([]);
  });

  it('in mode observe: it is told who would have been, once in a while', async () => {
    const all = world({ mode: 'observe' });
    times(200, (i) => all.denied({ query: `token=${i}` }));
    await eventually(() => expect(all.told).toMatchObject([{ measure: 'deniedTokens', result: 'observed' }]));
    expect(all.held).toEqual([]);
  });
});
