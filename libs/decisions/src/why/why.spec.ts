import { configSchema, type WhyConfig } from '#usher/config';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { silentLog } from '#usher/domain';
import type { Check, Decision, UnavailableAnswer } from '#usher/domain';
import { eventually, freePort, ManualClock, startRedis, startRedisCluster } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { Why } from './why.js';
import type { WhyOptions, WhyPage, WhyPageQuery } from './why.js';

const DAY = 86_400_000;

let server: RedisProcess;
let redis: RedisClient;
/** No Redis is there, and none comes. */
let nowhere: RedisClient;
let clock: ManualClock;
let opened: Why[] = [];
let count = 0;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 1_000 });
  await redis.ready();
  nowhere = connectRedis({ url: `redis://127.0.0.1:${await freePort()}`, timeout: 1_000 });
});
afterAll(async () => {
  await redis.close();
  await nowhere.close();
  await server.stop();
});
beforeEach(async () => {
  clock = new ManualClock(Date.now());
  await server.cli('FLUSHALL');
});
afterEach(async () => {
  for (const why of opened.splice(0)) await why.close();
});

const { why: bounds } = configSchema.parse({});
const bounded = (parts: Partial<WhyConfig>): WhyConfig => ({ ...bounds, ...parts });

function start(options: Partial<WhyOptions> = {}): Why {
  const why = new Why({
    clock,
    log: silentLog,
    redis,
    shards: 4,
    bounds,
    namespaceOf: (backend) => `ns-${backend}`,
    ...options,
  });
  opened.push(why);
  return why;
}

/** What is in Redis by now. */
async function page(why: Why, query: Partial<WhyPageQuery> = {}): Promise<WhyPage> {
  await why.close();
  return why.page({ limit: 100, ...query });
}

function check(parts: Partial<Check> = {}): Check {
  count += 1;
  return {
    id: `check-${count}`,
    dialect: 'astra',
    edge: 'astra-1',
    sessionId: `session-${count}`,
    sessionGiven: true,
    channel: 'news',
    ip: '192.0.2.1',
    path: '/news/index.m3u8',
    userAgent: 'VLC/3',
    host: 'tv.example.com',
    origin: '',
    query: 'token=s3cret&mac=00:11',
    ...parts,
  };
}

const allowed: Decision = {
  allow: true,
  source: 'backend',
  reason: 'backend-allowed',
  backend: 'portal',
  user: '42',
  status: 200,
  tookMs: 12.345,
};
const denied: Decision = {
  allow: false,
  source: 'backend',
  reason: 'backend-denied',
  backend: 'portal',
  status: 403,
  tookMs: 8,
};
const onTrust: Decision = {
  allow: true,
  source: 'fail-open',
  reason: 'on-trust',
  backend: 'portal',
  because: 'backend',
};
const known: Decision = { ...onTrust, source: 'known', reason: 'known-viewer' };
const refusedOnOutage: Decision = {
  ...onTrust,
  allow: false,
  source: 'fail-closed',
  reason: 'refused-unavailable',
};
const held: Decision = { allow: false, source: 'hold', reason: 'held-refused' };
const unreachable: UnavailableAnswer = {
  kind: 'unavailable',
  backend: 'portal',
  because: 'backend',
  reason: 'backend-timeout',
  detail: 'GET http://portal/x?token=s3cret took too long',
  status: 504,
  tookMs: 1000,
};

describe('Why', () => {
  it('tells why a viewer was refused: reason, sentence, and what the backend said', async () => {
    const why = start();
    const one = check();
    why.record(one, { decision: denied });
    const { answers, complete } = await why.byAddress('192.0.2.1');
    expect(complete).toBe(true);
    expect(answers).toEqual([
      expect.objectContaining({
        id: one.id,
        at: clock.now(),
        allow: false,
        source: 'backend',
        reason: 'backend-denied',
        sentence: 'The backend refused this viewer.',
        status: 403,
        tookMs: 8,
        edge: 'astra-1',
        channel: 'news',
        session: one.sessionId,
        ip: '192.0.2.1',
        query: 'token=***&mac=***',
        repeats: 0,
      }),
    ]);
  });

  it('tells both what was answered on trust and why the backend could not be asked', async () => {
    const why = start();
    why.record(check(), { decision: onTrust, answer: unreachable });
    const [answer] = (await page(why)).answers;
    expect(answer).toMatchObject({
      reason: 'on-trust',
      because: 'backend',
      cause: 'backend-timeout',
      causeSentence: 'The backend did not answer in time.',
      status: 504,
      tookMs: 1000,
      detail: 'GET http://portal/x?token=*** took too long',
    });
  });

  it('remembers the last 20 of any kind for each user, whatever his address', async () => {
    const why = start();
    const checks = Array.from({ length: 25 }, (_, i) => check({ ip: `192.0.2.${i}` }));
    for (const one of checks) {
      why.record(one, { decision: allowed });
      clock.advance(1_000);
    }
    const { answers } = await why.byUser('ns-portal', '42');
    expect(answers.map(({ id }) => id)).toEqual(
      checks
        .slice(5)
        .reverse()
        .map(({ id }) => id),
    );
    expect((await why.byUser('ns-other', '42')).answers).toEqual([]);
    expect((await page(why)).answers).toEqual([]);
  });

  it('tells another process, through Redis', async () => {
    const gateway = start();
    const first = check();
    gateway.record(first, { decision: allowed });
    clock.advance(10);
    const second = check();
    gateway.record(second, { decision: denied });
    await gateway.close();
    const control = start();
    const ids = async (found: Promise<{ answers: readonly { id: string }[] }>) =>
      (await found).answers.map(({ id }) => id);
    expect(await ids(control.byAddress('192.0.2.1'))).toEqual([second.id, first.id]);
    expect(await ids(control.byUser('ns-portal', '42'))).toEqual([first.id]);
    expect(await ids(page(control))).toEqual([second.id]);
    expect((await control.byUser('ns-portal', '42')).answers[0]).toMatchObject({
      user: 'ns-portal/42',
      tookMs: 12.3,
    });
    expect(gateway.dropped).toBe(0);
  });

  it('writes by itself, soon', async () => {
    const gateway = start();
    gateway.record(check(), { decision: denied });
    const control = start();
    await eventually(async () => expect((await page(control)).answers).toHaveLength(1));
  });

  it('counts repetitions instead of remembering them, from whichever rung they come', async () => {
    const why = start();
    const one = check();
    why.record(one, { decision: allowed });
    for (let i = 0; i < 50; i += 1) {
      clock.advance(100);
      why.record({ ...one, id: `again-${i}` }, { decision: { ...allowed, source: 'cache' } });
    }
    const other = check();
    why.record(other, { decision: allowed });
    const { answers } = await why.byUser('ns-portal', '42');
    expect(answers.map(({ id, repeats }) => [id, repeats])).toEqual([
      [other.id, 0],
      [one.id, 50],
    ]);
    expect(answers[1]!.lastAt - answers[1]!.at).toBe(5_000);
  });

  it('takes the same session with another user, channel or outcome for another answer', async () => {
    const why = start();
    const one = check();
    why.record(one, { decision: allowed });
    why.record({ ...one, id: 'user' }, { decision: { ...allowed, user: '43' } });
    why.record({ ...one, id: 'channel', channel: 'sport' }, { decision: allowed });
    why.record({ ...one, id: 'denied' }, { decision: denied });
    const { answers } = await why.byAddress('192.0.2.1');
    expect(new Set(answers.map(({ id }) => id))).toEqual(new Set([one.id, 'user', 'channel', 'denied']));
  });

  it('does not let a hotel of repeating sessions push out what its address has to tell', async () => {
    const why = start();
    const sessions = Array.from({ length: 30 }, () => check());
    for (const one of sessions) why.record(one, { decision: { ...allowed, user: undefined } });
    const refused = check();
    why.record(refused, { decision: denied });
    for (let round = 0; round < 3; round += 1) {
      for (const one of sessions)
        why.record(one, { decision: { ...allowed, user: undefined, source: 'cache' } });
    }
    expect((await why.byAddress('192.0.2.1')).answers.map(({ id }) => id)).toContain(refused.id);
  });

  it('finds recent answers by what was asked, and by time', async () => {
    clock = new ManualClock(Date.now() - 60_000);
    const why = start();
    why.record(check({ edge: 'astra-2' }), { decision: denied });
    clock.advance(60_000);
    why.record(check({ channel: 'sport' }), { decision: onTrust, answer: unreachable });
    const found = async (query: Partial<WhyPageQuery>) => (await page(why, query)).answers.length;
    expect(await found({})).toBe(2);
    expect(await found({ wants: ({ edge }) => edge === 'astra-2' })).toBe(1);
    expect(await found({ since: clock.now() - 1 })).toBe(1);
    expect(await found({ until: clock.now() - 1 })).toBe(1);
    expect(await found({ limit: 1 })).toBe(1);
  });

  it('has pages, each answer once, and reads no further than it must', async () => {
    const why = start();
    for (let i = 0; i < 3_000; i += 1)
      why.record(check({ ip: `10.0.${i >> 8}.${i & 255}`, edge: i < 10 ? 'rare' : 'astra-1' }), {
        decision: denied,
      });
    await why.close();
    const read = async (): Promise<number> =>
      Number(
        /cmdstat_xrevrange:calls=(\d+)/.exec(String(await redis.call('INFO', ['commandstats'])))?.[1] ?? 0,
      );
    const before = await read();
    expect((await page(why, { limit: 20 })).answers).toHaveLength(20);
    // Each kind’s stream of each shard, the one of the version before, and one of them once more.
    expect((await read()) - before).toBeLessThanOrEqual(4 * 4 + 1);
    const seen = new Set<string>();
    let cursor: string | undefined;
    do {
      const found = await page(why, { limit: 700, cursor });
      for (const { id } of found.answers) seen.add(id);
      ({ cursor } = found);
    } while (cursor !== undefined);
    expect(seen.size).toBe(3_000);
    const rare = { wants: ({ edge }: { edge: string }) => edge === 'rare' };
    const first = await page(why, rare);
    expect([first.answers.length, first.cursor === undefined]).toEqual([0, false]);
    expect((await page(why, { ...rare, cursor: first.cursor })).answers).toHaveLength(10);
  });

  it.each([
    ['in Redis', () => redis],
    ['in memory, while Redis is away', () => nowhere],
  ])('keeps what was decided through a flood of answers that nobody decided, %s', async (_, client) => {
    const few = { bounds: bounded({ denied: 400, refused: 400, unavailable: 400 }), redis: client() };
    const why = start(few);
    const give = (decision: Decision): string => {
      clock.advance(10);
      const one = check({ ip: `192.0.2.${count % 250}` });
      why.record(one, { decision });
      return one.id;
    };
    const before = [denied, held].map(give);
    // More than wait for Redis at once, too.
    for (let i = 0; i < 2_000; i += 1) [onTrust, known, refusedOnOutage].map(give);
    const after = [denied, held].map(give);
    await why.close();
    const { answers } = await why.page({ limit: 2_000 });
    const decided = answers.filter(({ because }) => because === undefined).map(({ id }) => id);
    expect(decided).toEqual([...before, ...after].reverse());
    expect(answers.length - decided.length).toBeGreaterThanOrEqual(400);
    // Trimmed by whole nodes of a shard’s stream, of 100 entries.
    expect(answers.length - decided.length).toBeLessThanOrEqual(800);
    expect(answers.map(({ at }) => at)).toEqual(answers.map(({ at }) => at).sort((a, b) => b - a));
  });

  it('keeps what nobody decided through a flood of denials, and what Usher refused', async () => {
    const why = start({ bounds: bounded({ denied: 400, refused: 400, unavailable: 400 }) });
    const others = [check({ ip: '192.0.2.1' }), check({ ip: '192.0.2.2' })];
    why.record(others[0]!, { decision: onTrust });
    why.record(others[1]!, { decision: held });
    for (let i = 0; i < 6_000; i += 1)
      why.record(check({ ip: `10.0.${i >> 8}.${i & 255}` }), { decision: denied });
    await why.close();
    const { answers } = await why.page({ limit: 2_000 });
    const ids = answers.filter(({ reason }) => reason !== 'backend-denied').map(({ id }) => id);
    expect(new Set(ids)).toEqual(new Set(others.map(({ id }) => id)));
    expect(answers.length).toBeLessThanOrEqual(802);
  });

  it('reads what the version before wrote, between what this one writes, and each answer on one page', async () => {
    const why = start({ shards: 1 });
    const old = (id: string): string =>
      JSON.stringify({ id, at: clock.now(), allow: false, source: 'backend', reason: 'backend-denied' });
    const add = (key: string, position: string, id: string): Promise<string> =>
      server.cli('XADD', `usher:why:{00}:${key}`, position, 'answer', old(id));
    const now = clock.now();
    // One millisecond of all streams has the same position in each.
    for (const key of ['notable', 'denied', 'refused', 'unavailable']) {
      for (const n of [0, 1]) await add(key, `${now}-${n}`, `${key}-${n}`);
    }
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const found = await page(why, { limit: 3, cursor });
      seen.push(...found.answers.map(({ id }) => id));
      ({ cursor } = found);
    } while (cursor !== undefined);
    expect([...seen].sort()).toEqual(
      ['denied', 'notable', 'refused', 'unavailable'].flatMap((kind) => [`${kind}-0`, `${kind}-1`]),
    );
    expect(await server.cli('XLEN', 'usher:why:{00}:notable')).toBe('2');
  });

  it('forgets after a day', async () => {
    const why = start();
    why.record(check(), { decision: denied });
    clock.advance(DAY + 1);
    expect((await page(why)).answers).toEqual([]);
    expect((await why.byAddress('192.0.2.1')).answers).toEqual([]);
  });

  it('keeps no key without an end, and no more lists and answers than its bounds', async () => {
    const why = start({ shards: 1, bounds: bounded({ lists: 10, denied: 50 }) });
    for (let i = 0; i < 1_000; i += 1)
      why.record(check({ ip: `10.0.${i >> 8}.${i & 255}` }), { decision: denied });
    for (let i = 0; i < 100; i += 1) why.record(check({ ip: '192.0.2.9' }), { decision: denied });
    await why.close();
    expect(why.dropped).toBe(0);
    const keys = (await server.cli('KEYS', '*')).split('\n');
    expect(keys.length).toBeLessThanOrEqual(12);
    for (const key of keys) expect(Number(await server.cli('TTL', key))).toBeGreaterThan(0);
    expect(await server.cli('LLEN', 'usher:why:{00}:ip:192.0.2.9')).toBe('20');
    // Trimmed by whole nodes of the stream, of 100 entries.
    expect(Number(await server.cli('XLEN', 'usher:why:{00}:denied'))).toBeLessThanOrEqual(150);
  });

  it('writes no token and no control character, whatever a viewer sends', async () => {
    const why = start();
    const bytes = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('');
    const hostile = check({
      sessionId: bytes,
      channel: bytes,
      ip: bytes,
      userAgent: `${bytes}?token=s3cret`,
      path: `/x${bytes}?token=s3cret`,
      query: `token=s3cret&${bytes}`,
    });
    why.record(hostile, { decision: { ...denied, user: bytes }, answer: unreachable });
    await why.close();
    const control = start();
    const expected = [expect.objectContaining({ id: hostile.id })];
    expect((await control.byAddress(bytes)).answers).toEqual(expected);
    expect((await control.byUser('ns-portal', bytes)).answers).toEqual(expected);
    const written = JSON.stringify((await page(control)).answers);
    expect(written).not.toContain('s3cret');
    // oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
    expect(written).not.toMatch(/[\u0000-\u001f\u007f-\u009f]|\\u00/);
    for (const key of (await server.cli('KEYS', '*')).split('\n')) expect(key).toMatch(/^[\x21-\x7e]+$/);
  });

  it('writes no password that stands in a path', async () => {
    const why = start();
    const panel = check({ path: '/live/anna/s3cret/17.ts', query: '' });
    why.record(panel, { decision: denied });
    await why.close();
    expect((await page(start(), {})).answers).toMatchObject([{ id: panel.id, path: '/live/anna/***/17.ts' }]);
    for (const key of (await server.cli('KEYS', '*')).split('\n')) {
      expect(await server.cli('DUMP', key)).not.toContain('s3cret');
    }
  });

  it('answers from its own memory while Redis is away, says so, and writes when it is back', async () => {
    const own = await startRedis();
    const client = connectRedis({ url: own.url, timeout: 100 });
    await client.ready();
    try {
      const why = start({ redis: client });
      await own.kill();
      await eventually(() => expect(client.away).toBe(true));
      const one = check();
      why.record(one, { decision: denied });
      const alone = await why.byAddress('192.0.2.1');
      expect(alone.complete).toBe(false);
      expect(alone.answers.map(({ id }) => id)).toEqual([one.id]);
      await own.restart();
      const control = start({ redis: client });
      await eventually(async () => {
        const found = await control.byAddress('192.0.2.1');
        expect(found).toMatchObject({ complete: true, answers: [{ id: one.id }] });
      });
      expect(why.dropped).toBe(0);
      await why.close();
      await control.close();
    } finally {
      await client.close();
      await own.stop();
    }
  });

  it('drops plain allows first under pressure, and counts what it dropped', async () => {
    const own = await startRedis();
    const client = connectRedis({ url: own.url, timeout: 100 });
    await client.ready();
    try {
      const why = start({ redis: client });
      await own.kill();
      await eventually(() => expect(client.away).toBe(true));
      for (let i = 0; i < 5_000; i += 1) why.record(check({ ip: `a${i}` }), { decision: denied });
      for (let i = 0; i < 10; i += 1) why.record(check({ ip: `b${i}` }), { decision: allowed });
      why.record(check({ ip: 'c' }), { decision: denied });
      expect(why.dropped).toBe(11);
      await own.restart();
      await client.ready();
      await why.close();
      const control = start({ redis: client });
      expect((await control.byAddress('a0')).answers).toHaveLength(0);
      expect((await control.byAddress('a1')).answers).toHaveLength(1);
      expect((await control.byAddress('b0')).answers).toHaveLength(0);
      expect((await control.byAddress('c')).answers).toHaveLength(1);
      await control.close();
    } finally {
      await client.close();
      await own.stop();
    }
  });

  it('works on a Redis Cluster, where each list has a slot of its own', async () => {
    const cluster = await startRedisCluster();
    const client = connectRedis({ url: cluster.url, cluster: true, timeout: 1_000 });
    try {
      expect(await client.ready()).toBe(true);
      const gateway = start({ redis: client, shards: 16 });
      for (let i = 0; i < 200; i += 1) {
        gateway.record(check({ ip: `192.0.2.${i}` }), { decision: { ...allowed, user: String(i) } });
        gateway.record(check({ ip: `192.0.2.${i}` }), { decision: denied });
      }
      await gateway.close();
      expect(gateway.dropped).toBe(0);
      const control = start({ redis: client, shards: 16 });
      expect((await control.byAddress('192.0.2.199')).answers).toHaveLength(2);
      expect((await control.byUser('ns-portal', '199')).answers).toHaveLength(1);
      expect((await page(control, { limit: 1_000 })).answers).toHaveLength(200);
      await control.close();
    } finally {
      await client.close();
      await cluster.stop();
    }
  });

  it('loses nothing of others to a key that holds something else, and counts what may be lost', async () => {
    const why = start({ shards: 1 });
    await server.cli('SET', 'usher:why:{00}:ip:192.0.2.1', 'garbage');
    why.record(check(), { decision: allowed });
    why.record(check({ ip: '192.0.2.2' }), { decision: allowed });
    await why.close();
    expect(why.dropped).toBe(2);
    const control = start({ shards: 1 });
    expect((await control.byAddress('192.0.2.2')).answers).toHaveLength(1);
    expect((await control.byUser('ns-portal', '42')).answers).toHaveLength(2);
  });

  it('reads past what another version or a hand has left', async () => {
    const why = start({ shards: 1 });
    why.record(check(), { decision: denied });
    await why.close();
    await server.cli('LPUSH', 'usher:why:{00}:ip:192.0.2.1', 'garbage', '{"id":1}', 'null', '[]');
    await server.cli(
      'LPUSH',
      'usher:why:{00}:ip:192.0.2.1',
      JSON.stringify({
        version: 9,
        id: 'later',
        at: clock.now(),
        reason: 'from-later',
        source: 'x',
        allow: true,
        more: 1,
      }),
    );
    const { answers } = await start({ shards: 1 }).byAddress('192.0.2.1');
    expect(answers.map(({ id }) => id)).toContain('later');
    expect(answers).toHaveLength(2);
    expect(answers.find(({ id }) => id === 'later')).toMatchObject({ sentence: 'from-later', more: 1 });
  });
});
