import { configSchema } from '#usher/config';
import { KeptDecisions, KnownMemory } from '#usher/decisions';
import { silentLog, type Session } from '#usher/domain';
import type { ClusterNode } from '#usher/node';
import { connectRedis, type RedisClient } from '#usher/redis';
import { RedisKnownViewers, RedisSessionRegistry } from '#usher/sessions';
import { eventually, ManualClock, startRedis, type RedisProcess } from '#usher/testing';
import { registryCare } from './registry-care.js';

const HOUR = 3_600_000;

describe('what a gateway does for the registry', () => {
  let server: RedisProcess;
  let redis: RedisClient;

  beforeAll(async () => {
    server = await startRedis();
    redis = connectRedis({ url: server.url, timeout: 2_000 });
    await redis.ready();
  });

  afterAll(async () => {
    await redis?.close();
    await server?.stop();
  });

  it('writes back a session that its edge asks about, however long ago it was opened', async () => {
    const config = configSchema.parse({});
    const clock = new ManualClock(Date.now());
    const registry = new RedisSessionRegistry(redis, clock, { shards: config.redis.shards });
    const known = new RedisKnownViewers(redis, { shards: config.redis.shards, knownFor: 24 * HOUR });
    const kept = new KeptDecisions(clock, 10);
    const session: Session = {
      edge: 'astra-1',
      sessionId: '42',
      fingerprint: 'f'.repeat(26),
      viewerKey: 'v'.repeat(26),
      channel: 'a001',
      ip: '192.0.2.7',
      userAgent: '',
      host: '',
      path: '',
      dialect: 'astra',
      backend: 'portal',
      namespace: 'portal',
      user: 'anna',
      sessionName: 'anna',
      state: 'active',
      source: 'backend',
      presence: 'assumed',
      authorizedUntil: 0,
      openedAt: clock.now() - 5 * HOUR,
      aliveUntil: clock.now() - HOUR,
    };
    const decision = { allow: true, source: 'cache', reason: 'backend-allowed' } as const;
    const { fingerprint } = session;
    const until = Infinity;
    kept.keep({
      name: 'astra-1/42',
      fingerprint,
      decision,
      session,
      standIn: false,
      until,
      generation: 0,
      version: 0,
      checks: 0,
    });
    const node = { redis, registry, known, clock, config, log: silentLog, news: { on: () => undefined } };
    const care = registryCare(node as unknown as ClusterNode, {
      kept,
      known: new KnownMemory(clock, known, 24 * HOUR, 10),
      forget: () => undefined,
    });
    kept.note(kept.find('astra-1/42', fingerprint)!);
    await care.close();
    await eventually(async () =>
      expect(await registry.find(session, fingerprint)).toMatchObject({ kind: 'same' }),
    );
  });
});
