import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';

/** An edge that asks once, and a backend whose credential may be asked about again. */
describe('a session of a reusable credential', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;

  beforeAll(async () => {
    portal = await startFakePortal();
    const config = {
      gateway: { grace: '300ms' },
      backends: {
        billing: { type: 'http', url: `${portal.url}/check`, credential: 'reusable', failMode: 'open' },
      },
    };
    cluster = await startCluster(config, ALL_IN_ONE);
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  const fieldOf = async (id: string, field: string): Promise<string> => {
    const key = await cluster.redis.cli('KEYS', `usher:session:*:astra-1:${id}`);
    return key === '' ? '' : cluster.redis.cli('HGET', key, field);
  };

  it('is asked about before its time is up, though its edge asks no more, and ends when the backend refuses it', async () => {
    portal.allow({ 'X-UserId': 'anna', 'X-AuthDuration': '2' });
    expect(await cluster.gateway.check({ sessionId: 'r-1', query: 'token=r-1' })).toMatchObject({
      status: 200,
    });
    const asked = () => portal.requests.filter(({ url }) => url.includes('token=r-1')).length;
    await eventually(() => asked() >= 3, { withinMs: 15_000 });
    expect(await fieldOf('r-1', 'state')).toBe('active');
    portal.deny(403);
    await eventually(async () => expect(await fieldOf('r-1', 'state')).toBe('revoked'), { withinMs: 15_000 });
    expect(await cluster.gateway.check({ sessionId: 'r-1', query: 'token=r-1' })).toMatchObject({
      status: 403,
    });
    expect(await cluster.redis.cli('KEYS', 'usher:sealed:*')).toBe('');
  });

  it('plays on as unconfirmed while the backend is away, and is asked about when it is back', async () => {
    portal.allow({ 'X-UserId': 'bob', 'X-AuthDuration': '2' });
    await cluster.gateway.check({ sessionId: 'r-2', query: 'token=r-2', ip: '192.0.2.9' });
    portal.reset();
    await eventually(async () => expect(await fieldOf('r-2', 'state')).toBe('unconfirmed'), {
      withinMs: 20_000,
    });
    expect(
      await cluster.gateway.check({ sessionId: 'r-2', query: 'token=r-2', ip: '192.0.2.9' }),
    ).toMatchObject({ status: 200 });
    portal.allow({ 'X-UserId': 'bob', 'X-AuthDuration': '600' });
    await eventually(async () => expect(await fieldOf('r-2', 'state')).toBe('active'), { withinMs: 40_000 });
  });

  it('is asked about though Redis came back empty: its gateway gives session and question back', async () => {
    portal.allow({ 'X-UserId': 'carla', 'X-AuthDuration': '600' });
    const check = { sessionId: 'r-3', query: 'token=r-3', ip: '192.0.2.10' };
    expect(await cluster.gateway.check(check)).toMatchObject({ status: 200 });
    const sealed = () => cluster.redis.cli('KEYS', 'usher:sealed:*:astra-1:r-3');
    await eventually(async () => expect(await sealed()).not.toBe(''));
    await cluster.redis.restart({ empty: true });
    await eventually(async () => expect(await sealed()).not.toBe(''), { withinMs: 30_000 });
    expect(await fieldOf('r-3', 'state')).toBe('active');
    const asked = () => portal.requests.filter(({ url }) => url.includes('token=r-3')).length;
    expect(asked()).toBe(1);
    const shard = /\{\d\d\}/.exec(await sealed())![0];
    await cluster.redis.cli('ZADD', `usher:due:${shard}`, 'XX', '1', 'astra-1:r-3');
    await eventually(() => asked() >= 2, { withinMs: 30_000 });
  });
});
