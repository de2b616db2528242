import { eventually, portalBehaviours, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { inTime } from '../support/deadline.js';
import { foundSession } from '../support/found-session.js';
import { everythingIn } from '../support/redis-dump.js';
import type { AstraCheck } from '../support/usher-process.js';

const { allow, deny } = portalBehaviours;

/** In order: Redis stops, comes back, dies, comes back empty. */
describe('a cluster whose Redis', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let count = 0;

  beforeAll(async () => {
    portal = await startFakePortal();
    cluster = await startCluster(
      {
        edges: { 'astra-1': {} },
        backends: {
          portal: {
            type: 'http',
            url: `${portal.url}/check`,
            failMode: 'stale',
            device: 'mac',
            breaker: { consecutive: 1000, minCalls: 1000 },
          },
        },
      },
      { gateways: 2, workers: 1 },
    );
  });

  beforeEach(() => portal.byToken({ bad: deny() }, allow({ 'X-Session-Name': 'anna' })));

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  const check = async (gateway: number, given: AstraCheck): Promise<string> =>
    inTime(await cluster.gateways[gateway]!.check(given));
  /** A viewer whom nobody has seen. */
  const stranger = (gateway: number, token: string): Promise<string> => {
    count += 1;
    const query = `n=${count}&token=${token}&mac=${count}`;
    return check(gateway, { sessionId: `r${count}`, query, ip: `198.51.100.${count}` });
  };
  const known = (name: string): AstraCheck => ({ sessionId: name, query: `token=${name}&mac=${name}` });
  const inRedis = async (name: string): Promise<boolean> =>
    (await foundSession(cluster.redis, name)) !== undefined;
  const open = async (gateway: number, name: string): Promise<void> => {
    expect(await check(gateway, known(name))).toMatch(/^200 (backend|direct)$/);
    await eventually(async () => expect(await inRedis(name)).toBe(true));
  };
  const isAway = (): Promise<void> =>
    eventually(async () => {
      for (const gateway of cluster.gateways) expect(await gateway.problems()).toContain('Redis is away');
    });

  /** With Redis away: from the first moment on, and once all have noticed. */
  const answersWithoutRedis = async (): Promise<void> => {
    const asks = () => [
      check(0, known('of-0')),
      check(1, known('of-1')),
      check(1, known('of-0')),
      stranger(0, 'good'),
      stranger(1, 'bad'),
    ];
    const answers = await Promise.all(asks());
    expect(answers.slice(0, 2)).toEqual(['200 cache', '200 cache']);
    // Not known to this gateway, and Redis is silent: it asks, or has asked.
    expect(answers.slice(2)).toEqual([
      expect.stringMatching(/^200 (direct|cache)$/),
      '200 direct',
      '403 direct',
    ]);
    await isAway();
    expect(await Promise.all(asks())).toEqual([
      '200 cache',
      '200 cache',
      '200 cache',
      '200 direct',
      '403 direct',
    ]);
    for (const gateway of cluster.gateways) expect((await gateway.health('/health/ready')).status).toBe(200);
  };

  it('is stopped (SIGSTOP) answers every check in time: who is known from memory, others by asking', async () => {
    await open(0, 'of-0');
    await open(1, 'of-1');
    cluster.redis.pause();
    await answersWithoutRedis();
  });

  it('goes on again has its workers answer, and its gateways know one another’s sessions', async () => {
    cluster.redis.resume();
    await cluster.whole();
    await eventually(async () => expect(await stranger(0, 'good')).toBe('200 backend'));
    await open(0, 'resumed');
    expect(await check(1, known('resumed'))).toBe('200 session');
  });

  it('is dead does the same, and denies a bad token', async () => {
    portal.behave(portalBehaviours.slow(300));
    const asked = portal.requests.length;
    const inFlight = stranger(0, 'good');
    await portal.waitForRequests(asked + 1);
    await cluster.redis.kill();
    expect(await inFlight).toBe('200 direct');
    portal.byToken({ bad: deny() }, allow({ 'X-Session-Name': 'anna' }));
    await answersWithoutRedis();
  });

  it('and whose portal are dead lets known viewers play on, and goes by the fail mode for others', async () => {
    expect(await check(0, { ...known('w1'), query: 'token=w1&mac=box-1' })).toBe('200 direct');
    await portal.down();
    try {
      expect(await check(0, { ...known('w1'), query: 'token=w1&mac=box-1' })).toBe('200 cache');
      // The same credential in a new session; then a new credential of the same box.
      expect(await check(0, { ...known('w2'), query: 'token=w1&mac=box-1' })).toMatch(/^200 (cache|stale)$/);
      expect(await check(0, { ...known('w3'), query: 'token=w3&mac=box-1' })).toBe('200 known');
      expect(await stranger(0, 'good')).toBe('403 fail-closed');
    } finally {
      await portal.up();
    }
  });

  it('comes back empty gets back the sessions and known viewers that gateways hold', async () => {
    expect(await check(1, known('while-away'))).toBe('200 direct');
    await cluster.redis.restart();
    await eventually(
      async () => {
        for (const name of ['of-0', 'of-1', 'resumed', 'while-away']) expect(await inRedis(name)).toBe(true);
      },
      { withinMs: 20_000, everyMs: 100 },
    );
    await cluster.whole();
    const dump = await everythingIn(cluster.redis);
    expect(dump).toMatch(/^usher:known:/m);
    expect(dump).toMatch(/^portal\/anna$/m);
    // Healed means: as good as new, for the gateway that never saw it.
    expect(await check(0, known('while-away'))).toBe('200 session');
    await eventually(async () => expect(await stranger(0, 'good')).toBe('200 backend'));
    expect(await stranger(1, 'bad')).toMatch(/^403 /);
  });

  it('was away has cut nobody: every session of before is answered as it was', async () => {
    for (const gateway of [0, 1]) {
      for (const name of ['of-0', 'of-1', 'resumed', 'while-away']) {
        expect(await check(gateway, known(name))).toMatch(/^200 (cache|session)$/);
      }
    }
  });
});
