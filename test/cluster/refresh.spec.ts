import { BUS_REDIS_OPTIONS, StreamClient } from '#usher/bus';
import { configSchema } from '#usher/config';
import type { Clock } from '#usher/domain';
import { userRefresh, type RefreshUser } from '#usher/node';
import { connectionFactory, connectRedis, type RedisClient } from '#usher/redis';
import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const TOLD = { withinMs: 4_000 };

/** The test is one more process of the cluster: it refreshes users. */
describe('a refresh of a user', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let redis: RedisClient;
  let bus: StreamClient;
  let refresh: RefreshUser;

  beforeAll(async () => {
    portal = await startFakePortal();
    const url = `${portal.url}/check`;
    const config = {
      backends: {
        billing: { type: 'http', url, credential: 'reusable', failMode: 'closed', namespace: 'people' },
        portal: { type: 'http', url, failMode: 'stale', namespace: 'people' },
      },
      routes: [{ match: { channel: 'b*' }, backend: 'billing' }, { backend: 'portal' }],
      gateway: { answerTtl: { deny: '10m' } },
    };
    cluster = await startCluster(config, { all: 1, gateways: 1 });
    redis = connectRedis({ url: cluster.redis.url, timeout: 2_000 });
    await redis.ready();
    const open = connectionFactory({ url: cluster.redis.url } as never);
    bus = new StreamClient({ connect: () => open(BUS_REDIS_OPTIONS), id: 'test', now: () => clock.now() });
    const told = { redis, bus, clock, onRefreshed: () => undefined };
    refresh = userRefresh({ ...told, config: configSchema.parse({ ...config, redis: {} }) });
    bus.events.start();
    await bus.connect();
  });

  afterAll(async () => {
    await bus?.close();
    await redis?.close();
    await cluster?.stop();
    await portal?.stop();
  });

  /** One gateway after the other: the second finds what the first one's worker wrote. */
  const saidTo = async (check: object): Promise<string[]> => {
    const said: string[] = [];
    for (const gateway of cluster.gateways) {
      const { status, source } = await gateway.check(check as never);
      said.push(`${status} ${source}`);
    }
    return said;
  };

  it('who was cut off this minute plays on nowhere where his credential may be asked about again', async () => {
    const check = { sessionId: 'r-1', query: 'token=r-1', channel: 'b1' };
    portal.allow({ 'X-UserId': 'anna' });
    await saidTo(check);
    expect(await saidTo(check)).toEqual(['200 cache', '200 cache']);
    portal.deny();
    expect(await saidTo(check)).toEqual(['200 cache', '200 cache']);
    expect(await refresh('people', 'bob')).toEqual({ sessions: 0, askedAgain: 0 });
    expect(await saidTo(check)).toEqual(['200 cache', '200 cache']);
    expect(await refresh('people', 'anna')).toEqual({ sessions: 1, askedAgain: 1 });
    await eventually(
      async () => expect((await saidTo(check)).map((said) => said.slice(0, 3))).toEqual(['403', '403']),
      TOLD,
    );
  });

  it('who paid this minute gets in, though every gateway kept his denial', async () => {
    const check = { sessionId: 'r-2', query: 'token=r-2', channel: 'b1' };
    portal.deny();
    expect(await saidTo(check)).toEqual(['403 backend', '403 backend']);
    portal.allow({ 'X-UserId': 'carol' });
    expect(await saidTo(check)).toEqual(['403 cache', '403 cache']);
    await refresh('people', 'carol');
    await eventually(async () => expect(await saidTo(check)).toEqual(['200 cache', '200 cache']), TOLD);
  });

  it('a session with a credential that is good once plays on, its device is forgotten everywhere', async () => {
    const check = { sessionId: 'r-3', query: 'token=r-3', channel: 'n1', ip: '203.0.113.3' };
    portal.allow({ 'X-UserId': 'dave' });
    await saidTo(check);
    const knownKeys = async (): Promise<string> => cluster.redis.cli('KEYS', 'usher:known:*:portal:*');
    expect(await knownKeys()).not.toBe('');
    expect(await refresh('people', 'dave')).toEqual({ sessions: 1, askedAgain: 0 });
    await eventually(async () => expect(await knownKeys()).toBe(''), TOLD);
    await portal.down();
    expect(await saidTo(check)).toEqual(['200 cache', '200 cache']);
    const next = { ...check, sessionId: 'r-4', query: 'token=r-4' };
    expect(await saidTo(next)).toEqual(['403 fail-closed', '403 fail-closed']);
    await portal.up();
  });
});
