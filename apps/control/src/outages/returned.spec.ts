import { Why } from '#usher/decisions';
import { configSchema } from '#usher/config';
import { silentLog, type Check, type Session } from '#usher/domain';
import { ClusterClock, connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { RedisKnownViewers } from '#usher/sessions';
import { startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { returnedTo } from './returned.js';

let server: RedisProcess;
let redis: RedisClient;
let clock: ClusterClock;
let known: RedisKnownViewers;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  clock = new ClusterClock(redis);
  await clock.start();
  known = new RedisKnownViewers(redis, { shards: 16, knownFor: 3_600_000 });
});
beforeEach(() => redis.call('FLUSHALL', []));
afterAll(async () => {
  clock.stop();
  await redis.close();
  await server.stop();
});

const url = 'http://127.0.0.1:9/';
const config = configSchema.parse({
  backends: { portal: { type: 'http', url }, spare: { type: 'http', url }, other: { type: 'http', url } },
  groups: { all: { backends: ['portal', 'spare'] } },
});
const session = { backend: 'portal', viewerKey: 'box', ip: '192.0.2.7', channel: 'a001' } as Session;
const returned = () => returnedTo({ config, clock, log: silentLog, redis, known });
const allow = (backend: string, viewerKey = 'box'): Promise<void> =>
  known.remember(backend, viewerKey, 'another', { user: '', sessionName: '', authorizedUntil: 0 });

async function deny(channel = 'a001', backend = 'portal'): Promise<void> {
  const why = new Why({
    clock,
    log: silentLog,
    redis,
    shards: 16,
    bounds: config.why,
    namespaceOf: (name) => name,
  });
  const { ip } = session;
  const check = {
    id: `${channel}-${backend}`,
    edge: 'astra-1',
    dialect: 'astra',
    sessionId: 'new',
    channel,
    ip,
  };
  const whole = {
    ...check,
    query: '',
    path: '',
    userAgent: '',
    host: '',
    origin: '',
    sessionGiven: true,
  } as Check;
  why.record(whole, {
    decision: { allow: false, source: 'backend', reason: 'backend-denied', backend, status: 403 },
  });
  await why.close();
}

describe('what became of a viewer who was to come back', () => {
  it('is that the backend allowed him since, or another of its group, under whatever session', async () => {
    for (const backend of ['portal', 'spare']) {
      await redis.call('FLUSHALL', []);
      const since = clock.now() - 10;
      expect(await returned()(session, since)).toBeUndefined();
      await allow(backend);
      expect(await returned()(session, since)).toBe('came-back');
      expect(await returned()(session, clock.now() + 1_000)).toBeUndefined();
    }
  });

  it('is that he was refused since, on his channel', async () => {
    const since = clock.now() - 10;
    await deny('another');
    await deny('a001', 'other');
    await allow('portal', 'another box');
    expect(await returned()(session, since)).toBeUndefined();
    await deny();
    expect(await returned()(session, since)).toBe('refused');
    expect(await returned()(session, clock.now() + 1_000)).toBeUndefined();
    await allow('portal');
    expect(await returned()(session, since)).toBe('came-back');
  });
});
