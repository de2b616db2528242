import { configSchema } from '#usher/config';
import {
  NO_HOLDS,
  silentLog,
  type AllowAnswer,
  type BackendAnswer,
  type Check,
  type Question,
  type Session,
} from '#usher/domain';
import { connectRedis, type RedisClient } from '#usher/redis';
import { DeviceSlots, RedisSessionRegistry } from '#usher/sessions';
import { eventually, ManualClock, startRedis, type RedisProcess } from '#usher/testing';
import { lateAnswers } from './late-answers.js';
import { ClusterLimits } from './limits.js';
import type { AsAsked } from './settlement.js';

const SLOTS = 'usher:slots:*';

let server: RedisProcess;
let redis: RedisClient;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 2_000 });
  await redis.ready();
});

beforeEach(() => redis.call('FLUSHALL', []));

afterAll(async () => {
  await redis?.close();
  await server?.stop();
});

const checkOf = (sessionId: string): Check => ({
  id: 'c1',
  dialect: 'astra',
  edge: 'astra-1',
  sessionId,
  sessionGiven: true,
  channel: 'uhd-1',
  ip: '192.0.2.7',
  path: '/play/uhd-1',
  userAgent: 'VLC/3',
  host: '',
  origin: '',
  query: 'token=1',
});
const answer: AllowAnswer = {
  kind: 'allow',
  backend: 'portal',
  reason: 'backend-allowed',
  status: 200,
  tookMs: 1_500,
  user: 'anna',
};

type World = ReturnType<typeof world>;

function world(limits: Record<string, unknown> = { mode: 'enforce' }) {
  const config = configSchema.parse({
    limits,
    edges: { 'astra-1': { control: { url: 'http://a:8000' } } },
    backends: { portal: { type: 'http', url: 'http://portal.example.com', maxDevices: 3 } },
    routes: [{ match: { channel: 'uhd-*' }, backend: 'portal', maxDevices: 1 }, { backend: 'portal' }],
  });
  const clock = new ManualClock(Date.now());
  const slots = new DeviceSlots(redis, { shards: 4, life: config.gateway.assumedLife });
  const evict = async (): Promise<void> => undefined;
  const registry = new RedisSessionRegistry(redis, clock, { shards: 4 });
  const settled: (AsAsked | undefined)[] = [];
  const questions = new Map<Check, Partial<Question>>();
  const late = lateAnswers({
    config,
    clock,
    log: silentLog,
    registry,
    limits: new ClusterLimits({ config, clock, log: silentLog, redis, slots, evict }),
    holds: NO_HOLDS,
    settle: (_check, _identity, _answer, asked) => void settled.push(asked),
    questionOf: (check) => questions.get(check) as Question | undefined,
  });
  /** Asked about, and answered late. */
  const answered = (sessionId: string, asked: Partial<Question> = {}, said: BackendAnswer = answer): void => {
    const check = checkOf(sessionId);
    const identity = { fingerprint: sessionId.repeat(26), viewerKey: sessionId.repeat(26) };
    questions.set(check, { check, identity, target: 'portal', ...asked });
    late(check, said);
  };
  return { late, answered, settled, registry };
}

async function slotsOfAnna(): Promise<Map<string, string>> {
  const [key = ''] = (await redis.call('KEYS', [SLOTS])) as string[];
  const fields = (await redis.call('HGETALL', [key])) as string[];
  return new Map(fields.flatMap((field, i) => (i % 2 === 0 ? [[field, fields[i + 1]!]] : [])));
}

describe('an allow that came when nobody waited for it any more', () => {
  it('opens its session though it had to be admitted first, takes a place under the cap of its route, and is counted soon', async () => {
    const { answered, settled } = world();
    answered('1', { unopened: true });
    answered('2', { unopened: true });
    expect(settled).toEqual([{}, {}]);
    await eventually(async () => (await slotsOfAnna()).has('astra-1:2'));
    const slots = await slotsOfAnna();
    expect(slots.has('astra-1:1')).toBe(true);
    expect(slots.get('#limit')).toBe('1|enforce|deny-new');
    const [recount] = (await redis.call('KEYS', ['usher:recount:*'])) as string[];
    const at = Number(await redis.call('ZSCORE', [recount!, 'portal/anna']));
    expect(at - Date.now()).toBeLessThanOrEqual(10_000);
  });

  it('is too many when it is counted, where it lives beside as many as may', async () => {
    const { answered } = world();
    const clock = new ManualClock(Date.now());
    const registry = new RedisSessionRegistry(redis, clock, { shards: 4 });
    const life = configSchema.parse({}).gateway.assumedLife;
    for (const id of ['1', '2']) answered(id, { unopened: true });
    await eventually(async () => (await slotsOfAnna()).size > 2);
    // Both are listed minutes later.
    const later = Date.now() + 300_000;
    for (const id of ['1', '2']) {
      await registry.open({
        ...checkOf(id),
        fingerprint: id.repeat(26),
        viewerKey: id.repeat(26),
        backend: 'portal',
        namespace: 'portal',
        user: 'anna',
        sessionName: '',
        state: 'active',
        source: 'backend',
        presence: 'listed',
        openedAt: Date.now(),
        authorizedUntil: 0,
        aliveUntil: later + life,
      });
    }
    const slots = new DeviceSlots(redis, { shards: 4, life, now: () => later + 1_000 });
    const surplus = (await Promise.all(slots.shards.map((shard) => slots.recount(shard, 'enforce')))).flat();
    expect(surplus).toMatchObject([
      { user: 'anna', cap: 1, mode: 'enforce', sessions: [{ edge: 'astra-1' }] },
    ]);
  });

  it.each<[string, Partial<Question>]>([
    ['in mode observe', { unguarded: true }],
    ['of a session that is renewed', { renews: { openedAt: 1, aliveUntil: 2 } }],
  ])('%s takes no place', async (_, asked) => {
    const { answered, settled } = world();
    answered('1', asked);
    answered('2');
    await eventually(async () => (await slotsOfAnna()).has('astra-1:2'));
    expect((await slotsOfAnna()).has('astra-1:1')).toBe(false);
    expect(settled[0]).toEqual(asked);
  });
});

describe('a denial that came when nobody waited for it any more', () => {
  const denial: BackendAnswer = {
    kind: 'deny',
    backend: 'portal',
    reason: 'backend-denied',
    status: 403,
    tookMs: 700,
  };
  const session = (sessionId: string, parts: Partial<Session>): Session => ({
    ...checkOf(sessionId),
    fingerprint: sessionId.repeat(26),
    viewerKey: sessionId.repeat(26),
    backend: 'portal',
    namespace: 'portal',
    user: '',
    sessionName: '',
    state: 'active',
    source: 'backend',
    presence: 'seen',
    openedAt: Date.now(),
    authorizedUntil: 0,
    aliveUntil: Date.now() + 3_600_000,
    ...parts,
  });
  const kindOf = async ({ registry }: World, sessionId: string): Promise<string> =>
    (await registry.find(checkOf(sessionId), sessionId.repeat(26))).kind;

  it.each<[string, Partial<Session>]>([
    ['on trust', { state: 'on-trust', source: 'fail-open' }],
    ['because of our fault', { state: 'on-trust', source: 'overload' }],
    ['as a known viewer', { source: 'known' }],
  ])('ends what was let in in its place: %s', async (_, parts) => {
    const own = world();
    await own.registry.open(session('1', parts));
    own.answered('1', {}, denial);
    await eventually(async () => expect(await kindOf(own, '1')).toBe('revoked'));
  });

  it('ends it also where it is written a little later', async () => {
    const own = world();
    own.answered('1', {}, denial);
    await own.registry.open(session('1', { state: 'on-trust', source: 'fail-open' }));
    await eventually(async () => expect(await kindOf(own, '1')).toBe('revoked'));
  });

  it.each<[string, Partial<Session>, Partial<Question>]>([
    ['that a backend allowed', {}, {}],
    ['that is carried', { state: 'unconfirmed', source: 'stale' }, {}],
    ['of another viewer by this name', { state: 'on-trust', fingerprint: 'x'.repeat(26) }, {}],
    ['in mode observe', { state: 'on-trust' }, { unguarded: true }],
    ['where a group was asked, of which it is one member’s word', { state: 'on-trust' }, { target: 'both' }],
  ])('ends no session %s', async (_, parts, asked) => {
    const own = world();
    await own.registry.open(session('1', parts));
    own.answered('1', asked, denial);
    // By then the same was done to one that ends.
    await own.registry.open(session('2', { state: 'on-trust' }));
    own.answered('2', {}, denial);
    await eventually(async () => expect(await kindOf(own, '2')).toBe('revoked'));
    const { fingerprint = '1'.repeat(26) } = parts;
    expect(await own.registry.find(checkOf('1'), fingerprint)).toMatchObject({ kind: 'same' });
  });
});
