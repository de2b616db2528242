import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { told } from '../support/deadline.js';
import { eventsIn } from '../support/event-streams.js';

/** `gateway.assumedLife`, ms. */
const LIFE = 3_600_000;
/** Signs of life wait in a gateway at most so long, ms … */
const UNSENT = 10_000;
/** … and a busy machine may add this. */
const SLACK = 3_000;
const VIEWERS = Array.from({ length: 10 }, (_, n) => `viewer-${n}`);

describe('a gateway that is killed with signs of life that it has not sent', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let killedAt = 0;
  /** When somebody was answered by the gateway that dies, by his name. */
  const answered = new Map<string, number[]>(VIEWERS.map((name) => [name, []]));

  beforeAll(async () => {
    portal = await startFakePortal();
    portal.allow({ 'X-UserId': 'anna' });
    cluster = await startCluster(
      {
        edges: { 'astra-1': {} },
        gateway: { assumedLife: `${LIFE}ms` },
        backends: { portal: { type: 'http', url: `${portal.url}/check`, failMode: 'closed' } },
      },
      { gateways: 2, workers: 1 },
    );
    for (const name of VIEWERS) expect(await check(0, name)).toBe('200 asked');
    const firstUntil = await eventually(() => aliveUntil(VIEWERS[0]!));
    const hasFlushed = async (): Promise<boolean> => (await aliveUntil(VIEWERS[0]!)) > firstUntil;
    await playUntil(hasFlushed);
    const flushedAt = Date.now();
    await playUntil(async () => Date.now() > flushedAt + 2_000);
    await cluster.gateways[0]!.end('SIGKILL');
    killedAt = Date.now();
  }, 180_000);

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  const check = async (gateway: number, name: string): Promise<string> => {
    const said = told(
      await cluster.gateways[gateway]!.check({ sessionId: name, query: `token=${name}`, ip: '192.0.2.7' }),
    );
    if (gateway === 0) answered.get(name)!.push(Date.now());
    return said;
  };

  /** Players that ask for one segment after the other. */
  const playUntil = async (isEnough: () => Promise<boolean>): Promise<void> => {
    const said = new Set<string>();
    await eventually(
      async () => {
        for (const name of VIEWERS) said.add(await check(0, name));
        return isEnough();
      },
      { withinMs: 60_000, everyMs: 100 },
    );
    expect([...said]).toEqual(['200 cache']);
  };

  const keyOf = async (name: string): Promise<string> => {
    const key = await cluster.redis.cli('KEYS', `usher:session:*:astra-1:${name}`);
    expect(key).not.toBe('');
    return key;
  };
  const aliveUntil = async (name: string): Promise<number> => {
    const [, shard] = /\{(\d\d)\}/.exec(await keyOf(name))!;
    return Number(await cluster.redis.cli('ZSCORE', `usher:alive:{${shard}}`, `astra-1:${name}`));
  };

  it('loses no more of them than those of 10 s, and as much of its counters', async () => {
    for (const name of VIEWERS) {
      expect(await aliveUntil(name)).toBeGreaterThan(killedAt - UNSENT - SLACK + LIFE);
      const checks = Number(await cluster.redis.cli('HGET', await keyOf(name), 'checks'));
      const [, ...again] = answered.get(name)!;
      expect(checks).toBeLessThanOrEqual(again.length);
      expect(checks).toBeGreaterThanOrEqual(again.filter((at) => at < killedAt - UNSENT - SLACK).length);
      // Those of the last seconds were not sent: it died with them.
      expect(checks).toBeLessThan(again.length);
    }
  });

  it('has another gateway let its viewers play on without asking anybody, and tell of them', async () => {
    const asked = portal.requests.length;
    for (const name of VIEWERS) expect(await check(1, name)).toBe('200 session');
    for (const name of VIEWERS) expect(await check(1, name)).toBe('200 cache');
    expect(portal.requests).toHaveLength(asked);
    await eventually(
      async () => {
        for (const name of VIEWERS) expect(await aliveUntil(name)).toBeGreaterThanOrEqual(killedAt + LIFE);
      },
      { withinMs: 30_000, everyMs: 250 },
    );
  }, 120_000);

  it('has nobody’s session closed, replaced or opened a second time', async () => {
    const events = await eventsIn(cluster.redis);
    expect(events.map(({ type }) => type)).toEqual(VIEWERS.map(() => 'session.opened'));
  });
});
