import { portalBehaviours, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { told } from '../support/deadline.js';

const NAMES = ['narrow', 'hung', 'healthy', 'busy'] as const;
type Name = (typeof NAMES)[number];

describe('a crowd in front of', () => {
  let portals: Record<Name, FakePortal>;
  let cluster: UsherCluster;
  let count = 0;

  beforeAll(async () => {
    const started = await Promise.all(NAMES.map(() => startFakePortal()));
    portals = Object.fromEntries(NAMES.map((name, at) => [name, started[at]!])) as typeof portals;
    const backend = (name: Name, more: object = {}) => ({
      type: 'http',
      url: `${portals[name].url}/check`,
      breaker: { consecutive: 3, minCalls: 10 },
      ...more,
    });
    cluster = await startCluster(
      {
        edges: { 'astra-1': {} },
        backends: {
          narrow: backend('narrow', { maxCalls: 2 }),
          // Neither a verdict nor a full bulkhead shall hide how the others fare.
          hung: backend('hung', { timeout: '1500ms', breaker: { consecutive: 1000, minCalls: 1000 } }),
          healthy: backend('healthy'),
          busy: backend('busy'),
        },
        routes: NAMES.map((name) => ({ match: { channel: name }, backend: name })),
      },
      { gateways: 2, workers: 2 },
    );
  });

  afterAll(async () => {
    await cluster?.stop();
    await Promise.all(Object.values(portals ?? {}).map((portal) => portal.stop()));
  });

  const check = async (channel: Name): Promise<string> => {
    count += 1;
    const viewer = { sessionId: `c${count}`, query: `token=${count}`, ip: `198.51.100.${count % 250}` };
    return told(await cluster.gateways[count % 2]!.check({ ...viewer, channel }));
  };
  const crowd = (channel: Name, size: number): Promise<string>[] =>
    Array.from({ length: size }, () => check(channel));
  const isHealthy = async (): Promise<void> => {
    for (const gateway of cluster.gateways) expect(await gateway.problems()).toEqual([]);
    expect(cluster.output()).not.toMatch(/(narrow|healthy|busy) is suspended/);
  };

  it('a healthy backend with few places is answered in time, within its places, and suspends nothing', async () => {
    portals.narrow.slow(150);
    const answers = await Promise.all(crowd('narrow', 60));
    expect(answers.filter((answer) => !/^200 (?!fail-open)/.test(answer))).toEqual([]);
    expect(answers).toContain('200 asked');
    expect(answers).toContain('200 overload');
    // One place for each worker, and one for each gateway, which asks by itself what no worker takes in time.
    expect(portals.narrow.mostInFlight).toBeLessThanOrEqual(4);
    await isHealthy();
    expect(await check('narrow')).toBe('200 asked');
  });

  it('a hung backend delays nobody who asks another one', async () => {
    portals.hung.hang();
    let answered = 0;
    const hung = Promise.all(crowd('hung', 100).map((answer) => answer.finally(() => (answered += 1))));
    hung.catch(() => undefined);
    await portals.hung.waitForRequests(1);
    for (let at = 0; at < 5; at += 1) expect(await check('healthy')).toBe('200 asked');
    // All of them, one after the other, before the first of those who wait for the hung one.
    expect(answered).toBe(0);
    for (const answer of await hung) expect(answer).toMatch(/^200 (fail-open|overload)$/);
    await isHealthy();
  });

  it.each<[string, () => void]>([
    ['429', () => portals.busy.status(429)],
    ['503 with Retry-After', () => portals.busy.status(503, { 'Retry-After': '1' })],
  ])('a backend that answers %s is our own affair: no vote against it', async (_, begin) => {
    begin();
    const answers = await Promise.all(crowd('busy', 40));
    expect(new Set(answers)).toEqual(new Set(['200 overload']));
    await isHealthy();
    portals.busy.behave(portalBehaviours.deny());
  });
});
