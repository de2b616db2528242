import {
  CanaryKeeper,
  createAdapter,
  GatedBackends,
  lonely,
  openGates,
  suspicionOf,
  type Adapter,
  type CanarySuspicion,
} from '#usher/backends';
import { configSchema } from '#usher/config';
import { silentLog, type BackendAnswer, type LogFields, type Question } from '#usher/domain';
import { connectRedis, type RedisClient } from '#usher/redis';
import { Leases } from '#usher/sessions';
import {
  ManualClock,
  portalBehaviours,
  startFakePortal,
  startRedis,
  type FakePortal,
  type RedisProcess,
} from '#usher/testing';
import { CANARY_PARTS, CanaryJob } from './canary-job.js';

const EVERY = 60_000;
/** No round comes later than that. */
const ROUND = EVERY * 1.2;

let server: RedisProcess;
let redis: RedisClient;
let portal: FakePortal;
const adapters: Adapter[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  portal = await startFakePortal();
  tellsApart();
});

afterEach(async () => {
  await Promise.all(adapters.splice(0).map((adapter) => adapter.close()));
  await portal.stop();
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

const tellsApart = (): void => portal.byToken({ mine: portalBehaviours.allow({ 'X-UserId': 'anna' }) });

const BOTH = {
  allow: { query: 'token=mine', channel: 'a001', ip: '192.0.2.9' },
  deny: { query: 'token=nobodys' },
};

/** A control with a gate of its own around the real portal. */
function aControl(owner: string, canaries: object = BOTH, clock = new ManualClock()) {
  const config = configSchema.parse({
    backends: {
      portal: { type: 'http', url: portal.url, canaries },
      plain: { type: 'http', url: portal.url },
    },
    routes: [{ backend: 'portal' }],
  });
  const heard: string[] = [];
  const said: LogFields[] = [];
  const log = { ...silentLog, warn: (fields: LogFields) => void said.push(fields) };
  const resting: { why?: 'switched' | 'suspended' } = {};
  const asked: Question[] = [];
  const mine = Object.entries(config.backends).map(([name, own]) => createAdapter(name, own, { clock }));
  adapters.push(...mine);
  const { gates } = openGates({
    config,
    adapters: mine,
    clock,
    random: () => 0.5,
    log: silentLog,
    cluster: lonely({ id: owner, host: owner }),
    announce: () => undefined,
    seal: () => '',
    unseal: () => undefined,
    onLate: () => heard.push('late'),
    onChange: (_, { state }) => heard.push(state),
    onIsolated: () => heard.push('isolated'),
    onSuspicious: () => heard.push('guard'),
  });
  const backends = new GatedBackends(gates, config.groups, clock);
  const turns: (string | undefined)[] = [];
  const job = new CanaryJob({
    backends: new Map([['portal', config.backends['portal']!.canaries!]]),
    keeper: new CanaryKeeper(redis),
    leases: new Leases(redis, clock, { job: 'canaries', parts: CANARY_PARTS, owner }),
    ask: (question: Question): Promise<BackendAnswer> => {
      asked.push(question);
      return backends.ask(question);
    },
    resting: () => resting.why,
    onTurn: (_, suspicion: CanarySuspicion | undefined) => turns.push(suspicion?.wrong.join(' ')),
    clock,
    random: () => 0.5,
    log,
  });
  /** So much later. */
  const round = async (later = ROUND): Promise<void> => {
    clock.advance(later);
    await job.round();
    await job.settled();
  };
  return { clock, job, round, turns, heard, said, asked, resting, gate: gates.get('portal')! };
}

const shown = async (): Promise<CanarySuspicion | undefined> =>
  suspicionOf(await new CanaryKeeper(redis).read('portal'));

describe('the job that sends canaries', () => {
  it('sends them in their interval, as they are configured, and the backend takes nobody for a viewer', async () => {
    const { job, round, heard, gate, asked, said } = aControl('one');
    await round();
    expect(portal.requests.map(({ url }) => url).sort()).toEqual(['/?token=mine', '/?token=nobodys']);
    const allow = portal.requests.find(({ url }) => url === '/?token=mine')!;
    expect(allow.headers).toMatchObject({
      'x-session-id': 'canary-allow-portal',
      'x-channel-id': 'a001',
      'x-real-ip': '192.0.2.9',
      'x-real-ua': 'Usher',
    });
    expect(allow.headers).not.toHaveProperty('x-real-path');
    expect(asked.every(({ canary, known, target }) => canary && !known && target === 'portal')).toBe(true);
    await round(EVERY * 0.7);
    expect(portal.requests).toHaveLength(2);
    await round(EVERY * 0.5);
    expect(portal.requests).toHaveLength(4);
    expect(job.counts).toEqual({ right: 4, wrong: 0, unavailable: 0 });
    expect(heard).toEqual([]);
    expect(said).toEqual([]);
    expect(gate.status().results).toMatchObject({ allow: 0, deny: 0 });
    expect(await server.cli('KEYS', '*')).not.toMatch(/session|known|user/);
  });

  it('makes the backend suspicious when it lets everybody in twice, and trusted when it was right twice', async () => {
    const { round, turns, job, said } = aControl('one');
    await round();
    portal.allow();
    await round();
    expect(turns).toEqual([]);
    await round();
    expect(turns).toEqual(['deny']);
    expect(await shown()).toMatchObject({ wrong: ['deny'], proven: ['deny'] });
    expect(job.counts).toEqual({ right: 4, wrong: 2, unavailable: 0 });
    tellsApart();
    await round();
    expect(turns).toEqual(['deny']);
    await round();
    expect(turns).toStrictEqual(['deny', undefined]);
    expect(await shown()).toBeUndefined();
    expect(said).toHaveLength(2);
    expect(JSON.stringify(said)).not.toContain('nobodys');
    expect(await server.cli('GET', 'usher:canary:{portal}')).not.toMatch(/nobodys|mine/);
  });

  it('makes it suspicious when it refuses everybody, and then when it turns all round', async () => {
    const { round, turns } = aControl('one');
    await round();
    portal.deny(403);
    await round();
    await round();
    expect(turns).toEqual(['allow']);
    portal.byToken({ nobodys: portalBehaviours.allow() });
    await round();
    await round();
    expect(turns).toEqual(['allow', 'allow deny']);
  });

  it.each([
    ['fails', () => portal.status(500)],
    ['cuts the connection', () => portal.reset()],
    ['is busy', () => portal.status(429)],
  ])('says nothing while the backend %s', async (_, fail) => {
    const { round, turns, heard, job } = aControl('one');
    await round();
    portal.allow();
    await round();
    fail();
    for (let i = 0; i < 5; i += 1) await round();
    expect(turns).toEqual([]);
    expect(heard).toEqual([]);
    expect(job.counts).toMatchObject({ unavailable: 10 });
    portal.allow();
    await round();
    expect(turns).toEqual(['deny']);
  });

  it('leaves a backend in peace that is switched or suspended, and keeps what was shown', async () => {
    const { round, turns, resting } = aControl('one');
    await round();
    for (const why of ['switched', 'suspended'] as const) {
      resting.why = why;
      await round();
    }
    expect(portal.requests).toHaveLength(2);
    delete resting.why;
    portal.allow();
    await round();
    await round();
    expect(turns).toEqual(['deny']);
    resting.why = 'switched';
    const before = portal.requests.length;
    const { until } = (await shown())!;
    await round();
    expect(portal.requests).toHaveLength(before);
    expect((await shown())!.until).toBeGreaterThan(until);
  });

  it('goes on asking one that is suspended because of its canaries: only they can tell that it is right again', async () => {
    const { round, turns, resting } = aControl('one');
    await round();
    portal.allow();
    await round();
    await round();
    resting.why = 'suspended';
    tellsApart();
    await round();
    await round();
    expect(turns).toStrictEqual(['deny', undefined]);
    const before = portal.requests.length;
    await round();
    expect(portal.requests).toHaveLength(before);
  });

  it('runs in one control only, and another one goes on where it stopped', async () => {
    const clock = new ManualClock();
    const [one, two] = ['one', 'two'].map((owner) => aControl(owner, BOTH, clock));
    await one!.round();
    await two!.round(0);
    portal.allow();
    await one!.round();
    await two!.round(0);
    expect(portal.requests).toHaveLength(4);
    expect(two!.asked).toEqual([]);
    await one!.job.stop();
    await two!.round();
    expect(two!.asked).toHaveLength(2);
    expect(two!.turns).toEqual(['deny']);
    expect(one!.turns).toEqual([]);
  });

  it('tells anew what is still wrong when nobody sent any for so long that all have forgotten it', async () => {
    const clock = new ManualClock();
    const [one, two] = ['one', 'two'].map((owner) => aControl(owner, BOTH, clock));
    portal.allow();
    for (let at = 0; at < 3; at += 1) await one!.round();
    expect(one!.turns).toEqual(['deny']);
    await one!.job.stop();
    await two!.round(10 * EVERY);
    expect(two!.turns).toEqual(['deny']);
  });

  it('announces a canary that was never right, and says so', async () => {
    const { round, turns } = aControl('one', { allow: { query: 'token=expired' } });
    await round();
    await round();
    expect(turns).toEqual(['allow']);
    expect(await shown()).toMatchObject({ wrong: ['allow'], proven: [] });
  });

  it('sends nothing without Redis', async () => {
    const away = connectRedis({ url: 'redis://127.0.0.1:1', timeout: 100 });
    const { clock } = aControl('one');
    const asked: Question[] = [];
    const job = new CanaryJob({
      backends: new Map([
        [
          'portal',
          configSchema.parse({ backends: { portal: { type: 'http', url: portal.url, canaries: BOTH } } })
            .backends['portal']!.canaries!,
        ],
      ]),
      keeper: new CanaryKeeper(away),
      leases: new Leases(away, clock, { job: 'canaries', parts: CANARY_PARTS, owner: 'one' }),
      ask: async (question) => void asked.push(question),
      resting: () => undefined,
      onTurn: () => undefined,
      clock,
      random: () => 0.5,
      log: silentLog,
    });
    clock.advance(ROUND);
    await job.round();
    await job.settled();
    expect(asked).toEqual([]);
    await away.close();
  });
});
