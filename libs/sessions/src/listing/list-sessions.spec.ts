import fc from 'fast-check';
import type { Session } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { aSession } from '../registry/for-tests.js';
import { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { InvalidCursorError } from './list-position.js';
import { listSessions } from './list-sessions.js';
import type { SessionQuery } from './session-query.js';

let server: RedisProcess;
let redis: RedisClient;
let registry: RedisSessionRegistry;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  registry = new RedisSessionRegistry(redis, new ManualClock(Date.now()), { shards: 4 });
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

/** All pages; `between` happens after each of them. */
async function listAll(query: SessionQuery, between?: (page: number) => Promise<void>): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 500; page += 1) {
    const answer = await listSessions(redis, registry, { ...query, cursor });
    found.push(...answer.sessions.map((session) => `${session.edge}/${session.sessionId}`));
    expect(answer.sessions.length).toBeLessThanOrEqual(query.limit ?? 100);
    cursor = answer.cursor;
    if (cursor === undefined) return found.sort();
    await between?.(page);
  }
  throw new Error('a list without an end');
}

/** As the pages give them. */
async function listInOrder(query: SessionQuery): Promise<Session[]> {
  const found: Session[] = [];
  let page = await listSessions(redis, registry, query);
  for (;;) {
    found.push(...page.sessions);
    if (page.cursor === undefined) return found;
    page = await listSessions(redis, registry, { ...query, cursor: page.cursor });
  }
}

const openedAt = Date.now();

function named(i: number): Session {
  return aSession({
    edge: `astra-${i % 3}`,
    sessionId: `s${i}`,
    channel: `c${i % 5}`,
    user: i % 7 === 0 ? '' : `u${i % 11}`,
    sessionName: '',
    presence: i % 2 === 0 ? 'seen' : 'assumed',
    state: i % 13 === 0 ? 'on-trust' : 'active',
    source: i % 13 === 0 ? 'fail-open' : 'backend',
    // Many opened in the same millisecond.
    openedAt: openedAt + (i % 2),
  });
}

async function openMany(count: number): Promise<Session[]> {
  const sessions = Array.from({ length: count }, (_, i) => ({ ...named(i), ip: `192.0.2.${i % 9}` }));
  await Promise.all(sessions.map((session) => registry.open(session)));
  return sessions;
}

function names(sessions: readonly Session[]): string[] {
  return sessions.map((session) => `${session.edge}/${session.sessionId}`).sort();
}

describe('a list of sessions', () => {
  it('pages through all of them, each once, at any page size', async () => {
    const sessions = await openMany(300);
    for (const limit of [1, 7, 100, 500]) expect(await listAll({ limit })).toEqual(names(sessions));
  });

  it.each<[string, SessionQuery, (session: Session) => boolean]>([
    ['channel', { channel: 'c1' }, (one) => one.channel === 'c1'],
    ['edge', { edge: 'astra-2' }, (one) => one.edge === 'astra-2'],
    ['user', { user: { namespace: 'portal', user: 'u4' } }, (one) => one.user === 'u4'],
    ['presence', { presence: 'seen' }, (one) => one.presence === 'seen'],
    ['state', { state: 'on-trust' }, (one) => one.state === 'on-trust'],
    ['address', { ip: '192.0.2.7' }, (one) => one.ip === '192.0.2.7'],
    ['source', { source: 'backend' }, (one) => one.source === 'backend'],
    [
      'channel and edge',
      { channel: 'c1', edge: 'astra-0' },
      (one) => one.channel === 'c1' && one.edge === 'astra-0',
    ],
    [
      'user, channel and presence',
      { user: { namespace: 'portal', user: 'u4' }, channel: 'c1', presence: 'seen' },
      (one) => one.user === 'u4' && one.channel === 'c1' && one.presence === 'seen',
    ],
    ['nothing there', { channel: 'c99' }, () => false],
  ])('filters by %s', async (_, query, matches) => {
    const sessions = await openMany(250);
    expect(await listAll({ ...query, limit: 9 })).toEqual(names(sessions.filter(matches)));
  });

  it('is complete, and says nothing twice, while sessions come, go and show signs of life between the pages', async () => {
    const sessions = await openMany(120);
    const staying = sessions.filter((_, i) => i % 4 !== 0);
    const leaving = sessions.filter((_, i) => i % 4 === 0);
    const found = await listAll({ limit: 5 }, async (page) => {
      const one = leaving[page];
      if (one !== undefined) await registry.close(one, 'kicked');
      await registry.open(aSession({ sessionId: `new-${page}`, edge: 'astra-1' }));
      const living = staying[page % staying.length]!;
      await registry.open({ ...living, aliveUntil: living.aliveUntil + page });
    });
    expect(new Set(found).size).toBe(found.length);
    expect(names(staying).filter((name) => !found.includes(name))).toEqual([]);
  });

  it('looks at no more than 2,000 for a page: it may be empty, with more to come', async () => {
    const sessions = Array.from({ length: 2_600 }, (_, i) =>
      aSession({ sessionId: `s${i}`, user: 'one', openedAt: openedAt + i }),
    );
    for (let from = 0; from < sessions.length; from += 200) {
      await Promise.all(sessions.slice(from, from + 200).map((session) => registry.open(session)));
    }
    const last = (await listInOrder({ limit: 500 })).at(-1)!;
    await registry.open({ ...last, state: 'unconfirmed' });
    const first = await listSessions(redis, registry, { state: 'unconfirmed' });
    expect(first.sessions).toEqual([]);
    expect(first.cursor).toBeDefined();
    expect(await listAll({ state: 'unconfirmed' })).toEqual(names([last]));
    expect(await listAll({ user: { namespace: 'portal', user: 'one' }, state: 'unconfirmed' })).toEqual(
      names([last]),
    );
  });

  it('of an edge with many sessions pages through all its parts, while they come and go', async () => {
    const sessions = Array.from({ length: 700 }, (_, i) => aSession({ sessionId: `s${i}`, user: 'one' }));
    for (const session of sessions) await registry.open(session);
    const shard = registry.shardOf(sessions[0]!);
    expect(await redis.call('ZCARD', [`usher:edge:{${shard}}:astra-1`])).toBe(128);
    expect(await redis.call('KEYS', ['usher:edge:*'])).toHaveLength(17);
    for (const key of (await redis.call('KEYS', ['usher:edge:*'])) as string[]) {
      expect(await redis.call('OBJECT', ['ENCODING', key])).toBe('listpack');
    }
    for (const limit of [3, 50, 128, 500]) {
      expect(await listAll({ edge: 'astra-1', limit })).toEqual(names(sessions));
    }
    const staying = sessions.filter((_, i) => i % 3 !== 0);
    const leaving = sessions.filter((_, i) => i % 3 === 0);
    const found = await listAll({ edge: 'astra-1', limit: 5 }, async (page) => {
      for (const one of leaving.splice(0, 2)) await registry.close(one, 'kicked');
      await registry.open(aSession({ sessionId: `new-${page}`, user: 'one' }));
    });
    expect(new Set(found).size).toBe(found.length);
    expect(names(staying).filter((name) => !found.includes(name))).toEqual([]);
    // Nothing of it is left in the end.
    for (const one of await listInOrder({ edge: 'astra-1' })) await registry.close(one, 'kicked');
    expect(await redis.call('KEYS', ['usher:edge*'])).toEqual([]);
  });

  it('takes out of an index what nobody has a record of', async () => {
    await openMany(20);
    for (const shard of ['00', '01', '02', '03']) {
      await redis.call('ZADD', [`usher:channel:{${shard}}:c1`, 5, 'astra-1:ghost']);
    }
    expect(await listAll({ channel: 'c1' })).toHaveLength(4);
    const left = await redis.call('ZSCORE', ['usher:channel:{00}:c1', 'astra-1:ghost']);
    expect(left).toBeNull();
  });

  it('steps over garbage in Redis', async () => {
    const sessions = await openMany(20);
    const shard = registry.shardOf(sessions[1]!);
    await redis.call('DEL', [`usher:session:{${shard}}:astra-1:s1`]);
    await redis.call('SET', [`usher:session:{${shard}}:astra-1:s1`, 'garbage']);
    await redis.call('DEL', ['usher:channel:{00}:c2']);
    await redis.call('SET', ['usher:channel:{00}:c2', 'garbage']);
    expect(await listAll({})).toEqual(names(sessions.filter((_, i) => i !== 1)));
    expect(await listAll({ channel: 'c2' })).not.toContain('astra-1/s1');
  });

  it('refuses a cursor that it did not give out, clearly, whatever it is', async () => {
    await expect(listSessions(redis, registry, { cursor: 'abc' })).rejects.toThrow(InvalidCursorError);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.base64String(), fc.json()), async (text) => {
        for (const cursor of [text, Buffer.from(text).toString('base64url')]) {
          await listSessions(redis, registry, { cursor }).catch((error: unknown) => {
            expect(error).toBeInstanceOf(InvalidCursorError);
          });
        }
      }),
    );
  });
});
