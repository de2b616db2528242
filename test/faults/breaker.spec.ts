import { eventually, portalBehaviours, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { told } from '../support/deadline.js';
import type { AstraCheck, UsherProcess } from '../support/usher-process.js';

const TIMEOUT = 500;
const SUSPENDED = 'backend portal is suspended';

/** In order: an outage of failures, one of slowness, and the recovery from both. */
describe('a breaker, for two gateways and three workers,', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let count = 0;

  beforeAll(async () => {
    portal = await startFakePortal();
    cluster = await startCluster(
      {
        edges: { 'astra-1': {} },
        gateway: { answerTtl: { allow: '1ms', deny: '1ms' } },
        backends: {
          portal: {
            type: 'http',
            url: `${portal.url}/check`,
            timeout: `${TIMEOUT}ms`,
            device: 'mac',
            breaker: { consecutive: 3, window: '2s', openFor: '1500ms', rampStep: '400ms', probes: 2 },
          },
        },
        routes: [
          { match: { channel: 'closed' }, backend: 'portal', failMode: 'closed' },
          { match: { channel: 'stale' }, backend: 'portal', failMode: 'stale' },
          { backend: 'portal' },
        ],
      },
      { gateways: 2, workers: 3 },
    );
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  /** A session of its own each time, through the gateways in turn. */
  const check = async (given: AstraCheck = {}): Promise<string> => {
    count += 1;
    const own = { sessionId: `b${count}`, query: `token=t${count}&mac=${count}` };
    return told(await cluster.gateways[count % 2]!.check({ ...own, ...given }));
  };
  const all = (): UsherProcess[] => [...cluster.gateways, ...cluster.workers];
  const states = (process: UsherProcess): string[] =>
    [
      ...process
        .output()
        .matchAll(/portal (is asked again|is suspended and probed|is suspended|answers again)/g),
    ].map(([, state]) => state!);
  /** Asks until the verdict is there, and everybody has heard of it. */
  const untilSuspended = async (): Promise<void> => {
    await eventually(async () => {
      expect(await Promise.all(Array.from({ length: 6 }, () => check()))).toEqual(
        Array(6).fill('200 fail-open'),
      );
      for (const gateway of cluster.gateways) expect(await gateway.problems()).toContain(SUSPENDED);
    });
    await eventually(() => {
      for (const process of all()) expect(states(process).at(-1)).toBe('is suspended');
    });
  };
  /** Asks as long as the breaker is not in that state for all, and gives back all that was answered. */
  const askUntil = async (state: string, ask: () => Promise<string>[]): Promise<string[]> => {
    const answers: string[] = [];
    await eventually(
      async () => {
        answers.push(...(await Promise.all(ask())));
        for (const process of all()) expect(states(process).at(-1)).toBe(state);
      },
      { withinMs: 20_000 },
    );
    return answers;
  };

  it('is not moved by denials', async () => {
    portal.deny();
    expect(new Set(await Promise.all(Array.from({ length: 40 }, () => check())))).toEqual(
      new Set(['403 asked']),
    );
    portal.allow();
    expect(await check()).toBe('200 asked');
  });

  it('suspends a backend that fails: everybody hears of it, and nobody asks it any more', async () => {
    portal.allow({ 'X-Session-Name': 'anna' });
    for (const mac of ['closed', 'stale']) {
      expect(await check({ channel: mac, query: `token=${mac}&mac=${mac}` })).toBe('200 asked');
    }
    portal.status(500);
    await untilSuspended();
    const asked = portal.requests.length;
    const answers = await Promise.all([
      ...Array.from({ length: 40 }, () => check()),
      check({ channel: 'closed', query: 'token=closed&mac=closed' }),
      check({ channel: 'stale', query: 'token=new&mac=stale' }),
      check({ channel: 'closed' }),
    ]);
    expect(answers).toEqual([
      ...Array<string>(40).fill('200 fail-open'),
      '200 stale',
      '200 known',
      '403 fail-closed',
    ]);
    expect(portal.requests).toHaveLength(asked);
  });

  it('lets one probe through at a time, whoever asks, and stays suspended while they fail', async () => {
    portal.slow(100, portalBehaviours.status(500));
    portal.mostInFlight = 0;
    const asked = portal.requests.length;
    const failed = () => portal.requests.length - asked;
    await eventually(async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => check()));
      expect(new Set(answers)).toEqual(new Set(['200 fail-open']));
      expect(failed()).toBeGreaterThanOrEqual(2);
    });
    expect(portal.mostInFlight).toBe(1);
    for (const process of all()) expect(states(process)).not.toContain('answers again');
  });

  it('asks again after two good probes and a ramp, in which nobody is refused who plays in the outage', async () => {
    portal.byToken({ bad: portalBehaviours.deny() }, portalBehaviours.slow(20));
    portal.mostInFlight = 0;
    const asked = portal.requests.length;
    const stranger = () => check();
    const granted = () => check({ channel: 'closed', query: 'token=closed&mac=closed' });
    const known = () => check({ channel: 'stale', query: `token=k${count}&mac=stale` });
    const probed = await askUntil('answers again', () => [stranger(), granted(), known()]);
    const ramped = await askUntil('is asked again', () => [
      ...Array.from({ length: 12 }, stranger),
      granted(),
      known(),
    ]);
    const refused = [...probed, ...ramped].filter((answer) => !answer.startsWith('200 '));
    expect(refused).toEqual([]);
    // Some were asked about, others got the outage's answer: that is what a ramp is. Known viewers come first.
    const given = new Set(ramped);
    expect(['200 asked', '200 fail-open', '200 stale', '200 known']).toEqual(
      expect.arrayContaining([...given]),
    );
    expect([...given]).toEqual(expect.arrayContaining(['200 asked', '200 fail-open']));
    expect(portal.requests.length - asked).toBeGreaterThanOrEqual(2);
    for (const process of all()) {
      expect(states(process).slice(-3)).toEqual([
        'is suspended and probed',
        'answers again',
        'is asked again',
      ]);
    }
    await cluster.whole();
    expect(await check()).toBe('200 asked');
    expect(await check({ query: 'token=bad' })).toBe('403 asked');
  });

  it('asks about those who were let in on trust once the outage is over', async () => {
    const viewer = { sessionId: 'trusted', query: 'token=bad&mac=trusted' };
    portal.status(500);
    await untilSuspended();
    const gateway = cluster.gateways[0]!;
    expect(told(await gateway.check(viewer))).toBe('200 fail-open');
    portal.byToken({ bad: portalBehaviours.deny() }, portalBehaviours.allow());
    await askUntil('is asked again', () => [check(), check()]);
    expect(told(await gateway.check(viewer))).toBe('403 asked');
  });

  it('suspends a backend that is too slow', async () => {
    portal.hang();
    await untilSuspended();
    const asked = portal.requests.length;
    const started = performance.now();
    expect(await Promise.all(Array.from({ length: 20 }, () => check()))).toEqual(
      Array(20).fill('200 fail-open'),
    );
    expect(portal.requests).toHaveLength(asked);
    // Nobody waits for a backend that is not asked.
    expect(performance.now() - started).toBeLessThan(20 * TIMEOUT);
  });

  it('goes by itself in a gateway without Redis and workers, and still asks one probe at a time', async () => {
    portal.status(500);
    await cluster.redis.kill();
    await Promise.all(cluster.workers.map((worker) => worker.end('SIGKILL')));
    const gateway = cluster.gateways[0]!;
    await eventually(async () => {
      await gateway.check({ sessionId: `alone${(count += 1)}`, query: `token=${count}` });
      expect(await gateway.problems()).toContain('backend portal: this process decides alone');
    });
    portal.allow();
    await eventually(
      async () => {
        const reply = await gateway.check({ sessionId: `back${(count += 1)}`, query: `token=${count}` });
        expect(told(reply)).toBe('200 asked');
        expect((await gateway.problems()).filter((problem) => /portal is/.test(problem))).toEqual([]);
      },
      { withinMs: 20_000 },
    );
  });
});
