import type { Session } from '#usher/domain';
import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { ASKED, inTime, told } from '../support/deadline.js';
import { foundSession } from '../support/found-session.js';
import { everythingIn } from '../support/redis-dump.js';
import type { AstraCheck } from '../support/usher-process.js';

describe('two gateways and three workers', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let count = 0;

  beforeAll(async () => {
    portal = await startFakePortal();
    portal.allow({ 'X-Session-Name': 'anna' });
    cluster = await startCluster(
      {
        log: { level: 'debug', format: 'json' },
        edges: { 'astra-1': {}, 'astra-2': {} },
        backends: { portal: { type: 'http', url: `${portal.url}/check` } },
      },
      { all: 2, workers: 1 },
    );
  });

  beforeEach(() => {
    portal.allow({ 'X-Session-Name': 'anna' });
    portal.requests.length = 0;
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  /** Through the one gateway or the other. */
  const check = (gateway: number, given: AstraCheck) => cluster.gateways[gateway]!.check(given);
  const found = (id: string, session: Partial<Session>): Promise<void> =>
    eventually(async () => expect(await foundSession(cluster.redis, id)).toMatchObject(session));

  it('have each check answered by exactly one worker, and every worker take part', async () => {
    // So many that two workers have not places enough, and a backend slow enough that none is free twice.
    portal.slow(100);
    const burst = async () => {
      portal.requests.length = 0;
      const before = await Promise.all(cluster.workers.map(replied));
      const replies = await Promise.all(
        Array.from({ length: 60 }, (_, at) => {
          count += 1;
          const viewer = { sessionId: `one-${count}`, query: `token=one-${count}`, ip: `198.51.100.${at}` };
          return check(at % 2, viewer);
        }),
      );
      const after = await Promise.all(cluster.workers.map(replied));
      return { replies, shares: after.map((answered, at) => answered - before[at]!) };
    };
    // On a machine so busy that nobody picks a question up in 150 ms gateways ask by themselves: then once more.
    let { replies, shares } = await burst();
    while (replies.some(({ source }) => source === 'direct')) ({ replies, shares } = await burst());
    expect(replies.map(inTime)).toEqual(Array(60).fill('200 backend'));
    const urls = portal.requests.map(({ url }) => url);
    expect(urls).toHaveLength(60);
    expect(new Set(urls).size).toBe(60);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBe(60);
    expect(Math.min(...shares)).toBeGreaterThan(0);
  });

  it('ask once for questions that come at the same time through one gateway', async () => {
    const same = { query: 'token=same', ip: '203.0.113.1' };
    portal.slow(200);
    const replies = await Promise.all(
      ['f1', 'f2', 'f3'].map((sessionId) => check(0, { ...same, sessionId })),
    );
    expect(replies.map(told)).toEqual(Array(3).fill('200 asked'));
    expect(portal.requests).toHaveLength(1);
    // Each session is still opened by itself.
    for (const id of ['f1', 'f2', 'f3']) {
      await found(id, { ip: '203.0.113.1' });
    }
  });

  it('know a session that was opened through the other one', async () => {
    const viewer = { sessionId: 'shared', query: 'token=shared', ip: '203.0.113.2' };
    expect(await check(0, viewer)).toMatchObject({ status: 200, source: ASKED });
    await found('shared', { state: 'active' });
    const other = await check(1, viewer);
    expect(other).toMatchObject({ status: 200, source: 'session' });
    expect(other.headers['x-session-name']).toBe('anna');
    expect(await check(1, viewer)).toMatchObject({ status: 200, source: 'cache' });
    expect(portal.requests).toHaveLength(1);
  });

  it('ask the backend of a session without X-AuthDuration exactly once, however often and wherever its edge asks', async () => {
    const viewer = { sessionId: 'hours', query: 'token=hours', ip: '203.0.113.3' };
    await check(0, viewer);
    await found('hours', { state: 'active' });
    for (let round = 0; round < 200; round += 1) {
      expect(await check(round % 2, viewer)).toMatchObject({ status: 200 });
    }
    expect(portal.requests).toHaveLength(1);
  });

  it.each([0, 1])(
    'ask about another viewer with the same edge and session id, through gateway %d',
    async (gateway) => {
      const id = `reused-${gateway}`;
      await check(0, { sessionId: id, query: 'token=first', ip: '203.0.113.4' });
      await found(id, { ip: '203.0.113.4' });
      portal.deny();
      const other = { sessionId: id, query: `token=second-${gateway}`, ip: '203.0.113.5' };
      expect(await check(gateway, other)).toMatchObject({ status: 403, source: ASKED });
      portal.allow({ 'X-Session-Name': 'ben' });
      const third = { sessionId: id, query: `token=third-${gateway}`, ip: '203.0.113.6' };
      const allowed = await check(gateway, third);
      expect(allowed).toMatchObject({ status: 200, source: ASKED });
      expect(allowed.headers['x-session-name']).toBe('ben');
      await found(id, { ip: '203.0.113.6' });
      expect(await check(1 - gateway, third)).toMatchObject({ status: 200, source: 'session' });
    },
  );

  it('take the same number at two Astras for two sessions', async () => {
    const [one, two] = [{ query: 'token=n1' }, { query: 'token=n2' }];
    await check(0, { ...one, sessionId: '7', edge: 'astra-1' });
    expect(await check(0, { ...two, sessionId: '7', edge: 'astra-2' })).toMatchObject({ source: ASKED });
    expect(await check(0, { ...one, sessionId: '7', edge: 'astra-1' })).toMatchObject({ source: 'cache' });
  });

  it('share a denial neither as an allow nor for ever as the record of a session', async () => {
    portal.deny();
    const viewer = { sessionId: 'denied', query: 'token=denied', ip: '203.0.113.8' };
    for (const gateway of [0, 1]) expect(await check(gateway, viewer)).toMatchObject({ status: 403 });
    expect(await cluster.redis.cli('KEYS', 'usher:session:*:astra-1:denied')).toBe('');
  });

  it('keep tokens out of Redis and out of all that they write', async () => {
    const secret = 'S3CRET0TOKEN0';
    // A worker's failure, a denial and an allow are told in different places.
    portal.byToken({ [`${secret}1`]: (request) => request.socket.destroy() });
    const before = portal.requests.length;
    for (const at of [0, 1]) {
      await check(at, { sessionId: 't1', query: `token=${secret}1`, ip: '203.0.113.20' });
      await check(at, { sessionId: 't2', query: `a=b&token=${secret}2`, ip: '203.0.113.21' });
    }
    portal.allow();
    for (const at of [0, 1]) {
      await check(at, { sessionId: 't3', query: `token=${secret}3&mac=00:1A`, ip: '203.0.113.22' });
    }
    expect(portal.requests.length).toBeGreaterThan(before);
    await found('t3', { ip: '203.0.113.22' });
    const dump = await everythingIn(cluster.redis);
    expect(dump).toContain('203.0.113.22');
    expect(dump).not.toContain(secret);
    expect(cluster.output()).toContain('203.0.113.22');
    expect(cluster.output()).not.toContain(secret);
  });
});

/** Questions that this worker has answered, as its health says, once it is busy with none. */
async function replied(worker: { health(path: string): Promise<{ body: string }> }): Promise<number> {
  return eventually(async () => {
    const { body } = await worker.health('/health/ready');
    const { details } = JSON.parse(body) as { details: { worker: Record<string, unknown> } };
    expect(details.worker['busy']).toBe(0);
    return Number(details.worker['replied']);
  });
}
