import { eventually, portalBehaviours, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { inTime, told } from '../support/deadline.js';
import { foundSession } from '../support/found-session.js';
import { get, type AstraCheck, type CheckReply, type UsherProcess } from '../support/usher-process.js';

const { allow, deny, hang, slow } = portalBehaviours;

/** In order: the cluster loses one part after the other. */
describe('a cluster of two gateways and three workers', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let count = 0;

  beforeAll(async () => {
    portal = await startFakePortal();
    cluster = await startCluster(
      {
        edges: { 'astra-1': {} },
        backends: {
          portal: { type: 'http', url: `${portal.url}/check`, failMode: 'closed' },
          paced: { type: 'http', url: `${portal.url}/check`, failMode: 'closed', pace: 100 },
        },
        routes: [{ match: { channel: 'paced' }, backend: 'paced' }, { backend: 'portal' }],
      },
      { gateways: 2, workers: 3 },
    );
  });

  beforeEach(() => {
    portal.byToken({ bad: deny() }, allow());
    portal.requests.length = 0;
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  /** A viewer of its own, through the one gateway or the other. */
  const check = (gateway: number, token: string, given: AstraCheck = {}) => {
    count += 1;
    const own = { sessionId: `l${count}`, query: `n=${count}&token=${token}`, ip: `198.51.100.${count}` };
    return cluster.gateways[gateway]!.check({ ...own, ...given });
  };
  const viewer = { sessionId: 'stays', query: 'token=stays', ip: '203.0.113.1' };

  /** Workers with a question in hand. */
  const busy = async (): Promise<UsherProcess[]> => {
    const found: UsherProcess[] = [];
    for (const worker of cluster.workers.filter(({ pid }) => !gone.has(pid))) {
      const { body } = await worker.health('/health/ready');
      const { details } = JSON.parse(body) as { details: { worker: { busy: number } } };
      if (details.worker.busy > 0) found.push(worker);
    }
    return found;
  };
  /** A check whose call the portal has got from that worker. */
  const inHand = async (
    token: string,
    given: AstraCheck = {},
  ): Promise<{ asking: Promise<CheckReply>; worker: UsherProcess }> => {
    for (;;) {
      portal.requests.length = 0;
      const asking = check(0, token, given);
      await portal.waitForRequests(1);
      const [worker] = await busy();
      if (worker !== undefined) return { asking, worker };
      // The machine was so busy that the gateway asked by itself.
      await asking;
    }
  };
  const gone = new Set<number>();
  const end = (process: UsherProcess, signal: NodeJS.Signals): Promise<number | null> => {
    gone.add(process.pid);
    return process.end(signal);
  };

  it('answers what a worker has in hand before it ends at SIGTERM, with exit code 0', async () => {
    portal.slow(700);
    const { asking, worker } = await inHand('slow');
    expect(await end(worker, 'SIGTERM')).toBe(0);
    expect(inTime(await asking)).toBe('200 backend');
    expect(portal.requests).toHaveLength(1);
    await cluster.add('worker');
  });

  it.each([
    ['good', '200 direct'],
    ['bad', '403 direct'],
  ])('asks again by itself when a worker is killed in mid-check: token=%s → %s', async (token, answer) => {
    // The call in hand hangs; the next one is answered.
    portal.behave((...call) =>
      (portal.requests.length === 1 ? hang() : token === 'bad' ? deny() : allow())(...call),
    );
    const { asking, worker } = await inHand(token);
    await end(worker, 'SIGKILL');
    expect(inTime(await asking)).toBe(answer);
    expect(portal.requests).toHaveLength(2);
  });

  it('does so in time where questions may wait at a worker, for the pace', async () => {
    await cluster.add('worker');
    portal.behave((...call) => (portal.requests.length === 1 ? hang() : allow())(...call));
    const { asking, worker } = await inHand('good', { channel: 'paced' });
    await end(worker, 'SIGKILL');
    expect(inTime(await asking)).toBe('200 direct');
    expect(portal.requests).toHaveLength(2);
  });

  it('goes on with the gateway that is left when the other one is killed, and knows its sessions', async () => {
    expect(told(await check(1, '', viewer))).toBe('200 asked');
    await eventually(async () => expect(await foundSession(cluster.redis, 'stays')).toBeDefined());
    await end(cluster.gateways[1]!, 'SIGKILL');
    expect(inTime(await check(0, '', viewer))).toBe('200 session');
    expect(told(await check(0, 'good'))).toBe('200 asked');
    expect(told(await check(0, 'bad'))).toBe('403 asked');
  });

  it('asks the backend directly when all workers are killed, from the first check on', async () => {
    await Promise.all(
      cluster.workers.filter(({ pid }) => !gone.has(pid)).map((worker) => end(worker, 'SIGKILL')),
    );
    const answers = await Promise.all([check(0, 'good'), check(0, 'bad'), check(0, '', viewer)]);
    expect(answers.map(inTime)).toEqual(['200 direct', '403 direct', '200 cache']);
    await eventually(async () =>
      expect(await cluster.gateway.problems()).toContain(
        'no worker lives: the gateway asks the backends itself',
      ),
    );
    expect((await cluster.gateway.health('/health/ready')).status).toBe(200);
    expect(inTime(await check(0, 'good'))).toBe('200 direct');
    expect(inTime(await check(0, 'bad'))).toBe('403 direct');
  });

  it('answers what it was asked before and while a gateway drains, tells edges to go, and ends with code 0', async () => {
    const { gateway } = cluster;
    portal.behave(slow(700, allow()));
    const before = check(0, 'before');
    await portal.waitForRequests(1);
    const ended = end(gateway, 'SIGTERM');
    await eventually(async () => expect((await get(gateway.healthPort, '/health/ready')).status).toBe(503));
    expect((await get(gateway.healthPort, '/health/live')).status).toBe(200);
    const during = await check(0, 'during');
    expect(inTime(during)).toBe('200 direct');
    expect(during.headers['connection']).toBe('close');
    expect((await check(0, '', viewer)).headers['connection']).toBe('close');
    expect(inTime(await before)).toBe('200 direct');
    // It stays for those who do not know yet; asked at the last moment it still answers.
    let last = 0;
    const asking = (async () => {
      for (;;) {
        const { status } = await check(0, 'last');
        last = status;
      }
    })();
    await expect(asking).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(last).toBe(200);
    expect(await ended).toBe(0);
  });
});
