import { silentLog, type Check, type Clock, type Session } from '#usher/domain';
import { connectRedis, createSealer, RedisAwayError, type RedisClient } from '#usher/redis';
import { RedisSessionRegistry, RenewalStore } from '#usher/sessions';
import { eventually, startRedis, type RedisProcess } from '#usher/testing';
import { openRenewal, renewals } from './renewals.js';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const sealer = createSealer(['a secret of these tests']);
const identity = { fingerprint: 'f'.repeat(26), viewerKey: 'v'.repeat(26) };
const check: Check = {
  id: 'c1',
  dialect: 'astra',
  edge: 'astra-1',
  sessionId: '42',
  sessionGiven: true,
  channel: 'a001',
  ip: '192.0.2.7',
  path: '/play/a001',
  userAgent: 'VLC/3',
  host: 'live.example.com',
  origin: '',
  query: 'token=reusable-1',
};
const session: Session = {
  ...check,
  ...identity,
  backend: 'portal',
  namespace: 'portal',
  user: 'anna',
  sessionName: '',
  state: 'active',
  source: 'backend',
  presence: 'assumed',
  openedAt: Date.now(),
  authorizedUntil: Date.now() + 60_000,
  aliveUntil: Date.now() + 3_600_000,
};

describe('the question of a session that is to be asked about again', () => {
  let server: RedisProcess;
  let redis: RedisClient;

  beforeAll(async () => {
    server = await startRedis();
    redis = connectRedis({ url: server.url, timeout: 5_000 });
    await redis.ready();
  });

  afterAll(async () => {
    await redis.close();
    await server.stop();
  });

  it('is kept though Redis was too busy at first: nobody would come back to it', async () => {
    const registry = new RedisSessionRegistry(redis, clock, { shards: 4 });
    const store = new RenewalStore(redis, clock);
    let tries = 0;
    const busyAtFirst: Pick<RenewalStore, 'keep' | 'offer'> = {
      offer: (...what) => store.offer(...what),
      keep: async (...what) => {
        tries += 1;
        if (tries === 1) throw new RedisAwayError('no reply within 30 ms');
        return store.keep(...what);
      },
    };
    const traits = new Map([['portal', { name: 'portal', namespace: 'portal', credential: 'reusable' }]]);
    const parts = { registry, sealer, clock, random: () => 0, log: silentLog, traits: traits as never };
    renewals({ ...parts, store: busyAtFirst }).keep(check, identity, session);
    const shard = registry.shardOf(session);
    const due = await eventually(async () => {
      await store.again(shard, session, Date.now() - 1);
      const [one] = await store.take(shard, 1);
      return one ?? false;
    });
    expect(tries).toBe(2);
    expect(openRenewal(sealer, session, (due as { sealed: string }).sealed)).toMatchObject({
      check: { query: 'token=reusable-1' },
      backend: 'portal',
    });
  });
});
