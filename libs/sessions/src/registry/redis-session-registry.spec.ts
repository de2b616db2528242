import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import type { Session } from '#usher/domain';
import { aSession, audit } from './for-tests.js';
import { RedisSessionRegistry } from './redis-session-registry.js';
import { RegistryError } from './registry-error.js';
import { homeShardOf, sessionShardOf, whereKeyOf } from './session-names.js';

const SHARDS = 16;
let server: RedisProcess;
let redis: RedisClient;
let registry: RedisSessionRegistry;
let garbage: RegistryError[];

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  garbage = [];
  registry = new RedisSessionRegistry(redis, new ManualClock(Date.now()), {
    shards: SHARDS,
    onGarbage: (error) => garbage.push(error),
  });
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

async function inconsistencies(): Promise<string[]> {
  return audit(redis, (await server.cli('KEYS', '*')).split('\n'));
}

/** All events of all shards, as `type reason session`. */
async function events(): Promise<string[]> {
  const told: string[] = [];
  for (const key of (await server.cli('KEYS', 'usher:events:*')).split('\n').filter(Boolean)) {
    for (const [, fields] of (await redis.call('XRANGE', [key, '-', '+'])) as [string, string[]][]) {
      const of = (name: string): string => fields[fields.indexOf(name) + 1]!;
      told.push([of('type'), of('session'), fields.includes('reason') ? of('reason') : ''].join(' ').trim());
    }
  }
  return told.sort();
}

function keyOf(session: Session): string {
  const shard = sessionShardOf(session, SHARDS);
  return `usher:session:{${shard}}:${session.edge}:${session.sessionId}`;
}

function homeKeyOf(session: Session): string {
  return `usher:session:{${homeShardOf(session, SHARDS)}}:${session.edge}:${session.sessionId}`;
}

/** The shard that `where` names for the session of the tests. */
function where(): Promise<string> {
  return server.cli('HGET', whereKeyOf(aSession(), SHARDS), 'astra-1:42');
}

describe('a session in the registry', () => {
  it('is found as it was opened, by the same fingerprint', async () => {
    const session = aSession();
    await registry.open(session);
    expect(await registry.find(session, session.fingerprint)).toEqual({ kind: 'same', session });
    expect(await inconsistencies()).toEqual([]);
  });

  it('is found at home while it has no user', async () => {
    const session = aSession({ user: '', sessionName: '', state: 'on-trust' });
    await registry.open(session);
    expect(await registry.find(session, session.fingerprint)).toEqual({ kind: 'same', session });
    expect(await where()).toBe('');
    expect(await inconsistencies()).toEqual([]);
  });

  it('costs a look-up one script at home, and a second one where it is elsewhere, and nothing more', async () => {
    const atHome = aSession({ sessionId: '1', user: '', sessionName: '' });
    const elsewhere = aSession({ sessionId: '2' });
    for (const one of [atHome, elsewhere]) await registry.open(one);
    await registry.find(atHome, 'f');
    await server.cli('CONFIG', 'RESETSTAT');
    for (const one of [atHome, elsewhere]) await registry.find(one, one.fingerprint);
    const stats = await server.cli('INFO', 'commandstats');
    expect(stats).toMatch(/cmdstat_evalsha:calls=3,/);
    expect(stats).not.toContain('cmdstat_get:');
  });

  it('keeps names of any bytes, long ones bounded, and no value over 64 bytes', async () => {
    const anyBytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');
    const session = aSession({
      sessionId: anyBytes,
      channel: anyBytes,
      user: 'u'.repeat(300),
      path: `/${'p'.repeat(500)}`,
      userAgent: Buffer.from('Ящик '.repeat(40)).toString('latin1'),
      sessionName: Buffer.from('Анна').toString('latin1'),
    });
    await registry.open(session);
    const found = await registry.find(session, session.fingerprint);
    if (found.kind !== 'same') throw new Error(found.kind);
    expect(found.session.sessionId).toBe(anyBytes);
    expect(found.session.sessionName).toBe(session.sessionName);
    expect(found.session.user).toMatch(/^u+@[a-z2-7]{26}$/);
    const key = (await server.cli('KEYS', 'usher:session:*')).trim();
    expect(await server.cli('OBJECT', 'ENCODING', key)).toBe('listpack');
    // Written back as another gateway read it, it is the same session.
    await registry.open(found.session);
    expect((await server.cli('KEYS', 'usher:session:*')).split('\n')).toHaveLength(1);
    expect(await inconsistencies()).toEqual([]);
  });

  it('is compact in Redis: with the longest user agent and path no more than 560 bytes', async () => {
    const session = aSession({ userAgent: 'u'.repeat(500), path: '/p'.repeat(500) });
    await registry.open(session);
    expect(await server.cli('OBJECT', 'ENCODING', keyOf(session))).toBe('listpack');
    expect(Number(await server.cli('MEMORY', 'USAGE', keyOf(session)))).toBeLessThanOrEqual(560);
  });

  it('is none when it is missing, dead or closed, and revoked when it was opened so', async () => {
    const session = aSession();
    expect(await registry.find(session, session.fingerprint)).toEqual({ kind: 'none' });
    await registry.open(session);
    await server.cli('ZADD', `usher:alive:{${registry.shardOf(session)}}`, '1', 'astra-1:42');
    expect(await registry.find(session, session.fingerprint)).toEqual({ kind: 'none' });
    await registry.open({ ...session, state: 'revoked' });
    expect(await registry.find(session, session.fingerprint)).toMatchObject({ kind: 'revoked' });
    expect(await inconsistencies()).toEqual([]);
    expect(await registry.close(session, 'kicked')).toBe(true);
    expect(await registry.close(session, 'kicked')).toBe(false);
    expect(await registry.find(session, 'another')).toEqual({ kind: 'none' });
    expect(await inconsistencies()).toEqual([]);
    expect(await where()).toBe('');
  });

  it('is not written when its time was up before the command came', async () => {
    expect(await registry.openSession(aSession({ aliveUntil: Date.now() - 1 }))).toBe('late');
    expect(await server.cli('DBSIZE')).toBe('0');
  });

  it('lives an hour longer than its alive-until, `where` likewise', async () => {
    const session = aSession();
    await registry.open(session);
    const life = Number(await server.cli('PTTL', keyOf(session)));
    expect(life).toBeGreaterThan(7_100_000);
    expect(life).toBeLessThanOrEqual(7_200_000);
    expect(await where()).toBe(String(Number(registry.shardOf(session))));
    // Shared with other sessions: it lives an hour longer, so that not each of them has to renew it.
    const shared = Number(await server.cli('PTTL', whereKeyOf(session, SHARDS)));
    expect(shared).toBeGreaterThan(10_700_000);
    expect(shared).toBeLessThanOrEqual(10_800_000);
  });
});

describe('another fingerprint under the same id', () => {
  it.each([
    ['the same user', {}],
    ['another user', { user: '200600' }],
    ['no user', { user: '', sessionName: '' }],
  ])('closes the old session as replaced: %s', async (_, changes) => {
    const old = aSession();
    const next = aSession({ ...changes, fingerprint: 'next', channel: 'b002', openedAt: old.openedAt + 5 });
    await registry.open(old);
    expect(await registry.find(next, 'next')).toEqual({ kind: 'other', session: old });
    expect(await registry.openSession(next)).toBe('replaced');
    expect(await registry.find(next, 'next')).toMatchObject({ kind: 'same', session: next });
    expect(await events()).toEqual([
      'session.closed astra-1:42 replaced',
      'session.opened astra-1:42',
      'session.opened astra-1:42',
    ]);
    expect(await inconsistencies()).toEqual([]);
    expect((await server.cli('KEYS', 'usher:session:*')).split('\n')).toHaveLength(1);
  });

  it('keeps the newer session where an older one under its id is opened late', async () => {
    const newer = aSession({ fingerprint: 'newer', openedAt: Date.now() });
    await registry.open(newer);
    const older = aSession({ fingerprint: 'older', openedAt: newer.openedAt - 1 });
    expect(await registry.openSession(older)).toBe('late');
    expect(await registry.find(newer, 'newer')).toMatchObject({ kind: 'same' });
    expect(await inconsistencies()).toEqual([]);
  });

  it('closes a session without a user likewise', async () => {
    await registry.open(aSession({ user: '', sessionName: '' }));
    expect(await registry.openSession(aSession({ fingerprint: 'next' }))).toBe('replaced');
    expect((await server.cli('KEYS', 'usher:session:*')).split('\n')).toHaveLength(1);
    expect(await inconsistencies()).toEqual([]);
  });
});

describe('opening again', () => {
  it('learns the user and moves to the user’s shard, without a second closing', async () => {
    const trusted = aSession({ user: '', sessionName: '', state: 'on-trust', source: 'fail-open' });
    await registry.open(trusted);
    await registry.open(aSession({ openedAt: trusted.openedAt }));
    expect(await server.cli('EXISTS', homeKeyOf(trusted))).toBe('0');
    expect(await registry.find(trusted, trusted.fingerprint)).toMatchObject({
      kind: 'same',
      session: { user: '100500', state: 'active' },
    });
    expect(await events()).toContain('session.moved astra-1:42 moved');
    expect(await inconsistencies()).toEqual([]);
  });

  it('never turns worse: on trust after an allow, no user after a user, assumed after listed', async () => {
    const known = aSession({ presence: 'listed', aliveUntil: Date.now() + 9_000_000 });
    await registry.open(known);
    await registry.open(aSession({ state: 'on-trust', source: 'fail-open', presence: 'assumed' }));
    await registry.open(aSession({ user: '', sessionName: '', state: 'on-trust', source: 'overload' }));
    expect(await registry.find(known, known.fingerprint)).toEqual({
      kind: 'same',
      session: known,
    });
    expect(await inconsistencies()).toEqual([]);
  });

  it.each([
    ['known', '100500'],
    ['known', ''],
    ['rule', ''],
  ] as const)('never takes back an allow: by the source %s, user "%s"', async (source, user) => {
    const allowed = aSession({ user, sessionName: '', authorizedUntil: Date.now() + 60_000 });
    await registry.open(allowed);
    await registry.open({ ...allowed, source, authorizedUntil: 0 });
    expect(await registry.find(allowed, allowed.fingerprint)).toMatchObject({
      session: { source: 'backend', user, authorizedUntil: allowed.authorizedUntil },
    });
    expect(await inconsistencies()).toEqual([]);
  });

  it('is an allow after one who was let in only as a known viewer', async () => {
    await registry.open(aSession({ source: 'known' }));
    await registry.open(aSession({ source: 'backend' }));
    const found = await registry.find(aSession(), aSession().fingerprint);
    expect(found).toMatchObject({ session: { source: 'backend' } });
  });

  it('keeps the fields of a version from the future, and its number', async () => {
    const session = aSession();
    await registry.open(session);
    await server.cli('HSET', keyOf(session), 'version', '7', 'hologram', 'yes');
    await registry.open({ ...session, state: 'unconfirmed' });
    expect(await server.cli('HMGET', keyOf(session), 'version', 'hologram', 'state')).toBe(
      '7\nyes\nunconfirmed',
    );
  });

  it('keeps what a later version put into the user’s hash as not-counted-until', async () => {
    const session = aSession();
    await registry.open(session);
    const key = `usher:user:{${registry.shardOf(session)}}:portal/100500`;
    await server.cli('HSET', key, 'astra-1:42', `${session.openedAt}|nbswy3dp|assumed|1790000000000`);
    await registry.open({ ...session, presence: 'seen' });
    expect(await server.cli('HGET', key, 'astra-1:42')).toBe(
      `${session.openedAt}|nbswy3dp|seen|1790000000000`,
    );
  });
});

describe('a crash in between a move', () => {
  const trusted = aSession({ user: '', sessionName: '', state: 'on-trust' });
  const known = aSession({ openedAt: trusted.openedAt });

  it('after the first step: the old record answers, and the next open finishes it', async () => {
    await registry.open(trusted);
    await registry.open(known);
    await server.cli('DEL', whereKeyOf(trusted, SHARDS));
    await registry.open(trusted);
    expect(await registry.find(trusted, trusted.fingerprint)).toMatchObject({ kind: 'same' });
    await registry.open(known);
    expect(await server.cli('EXISTS', homeKeyOf(trusted))).toBe('0');
    expect(await inconsistencies()).toEqual([]);
  });

  it('after the second step: the new record answers, and the lookup takes the old one out', async () => {
    await registry.open(trusted);
    const other = new RedisSessionRegistry(redis, new ManualClock(Date.now()), { shards: SHARDS });
    await registry.open({ ...known, sessionId: 'elsewhere' });
    await server.cli(
      'HSET',
      whereKeyOf(known, SHARDS),
      'astra-1:42',
      String(Number(registry.shardOf(known))),
    );
    await server.cli('RENAME', keyOf(known).replace('42', 'elsewhere'), keyOf(known));
    await server.cli(
      'ZADD',
      `usher:alive:{${registry.shardOf(known)}}`,
      String(known.aliveUntil),
      'astra-1:42',
    );
    expect(await other.find(known, known.fingerprint)).toMatchObject({ session: { user: '100500' } });
    await other.find(known, known.fingerprint);
    expect(await server.cli('EXISTS', homeKeyOf(trusted))).toBe('0');
  });
});

describe('garbage in Redis', () => {
  it('of another type is none to a lookup, which reports it, and an error that names the key to an open', async () => {
    const session = aSession();
    await registry.open(session);
    await server.cli('SET', keyOf(session), 'garbage');
    expect(await registry.find(session, session.fingerprint)).toEqual({ kind: 'none' });
    expect(garbage[0]).toBeInstanceOf(RegistryError);
    expect(garbage[0]!.message).toContain(keyOf(session));
    await expect(registry.open(session)).rejects.toThrow(`${keyOf(session)} is a string, not a hash`);
    await expect(registry.close(session, 'kicked')).rejects.toThrow(RegistryError);
  });

  it.each(['alive', 'events', 'counts', 'edges'])('in %s is an error that names the key', async (kind) => {
    const key = `usher:${kind}:{${registry.shardOf(aSession())}}`;
    await server.cli('SET', key, 'garbage');
    await expect(registry.open(aSession())).rejects.toThrow(key);
    expect(await server.cli('EXISTS', keyOf(aSession()))).toBe('0');
  });

  it('with fields missing or unknown is none', async () => {
    const session = aSession();
    for (const [field, value] of [
      ['fingerprint', ''],
      ['state', 'enlightened'],
      ['presence', ''],
      ['openedAt', 'yesterday'],
    ] as const) {
      await registry.open(session);
      await server.cli('HSET', keyOf(session), field, value);
      expect(await registry.find(session, session.fingerprint)).toEqual({ kind: 'none' });
      await server.cli('FLUSHALL');
    }
    expect(garbage).toHaveLength(4);
  });

  it('in `where` is stepped over', async () => {
    const session = aSession({ user: '', sessionName: '' });
    await registry.open(session);
    for (const garbled of ['99', 'x', '-1']) {
      await server.cli('HSET', whereKeyOf(session, SHARDS), 'astra-1:42', garbled);
      expect(await registry.find(session, session.fingerprint)).toMatchObject({ kind: 'same' });
    }
    await server.cli('DEL', whereKeyOf(session, SHARDS));
    await server.cli('LPUSH', whereKeyOf(session, SHARDS), 'garbage');
    expect(await registry.find(session, session.fingerprint)).toMatchObject({ kind: 'same' });
    expect(garbage).toHaveLength(4);
    expect(garbage[3]!.message).toContain('usher:where:');
    for (const one of [session, aSession()]) {
      await expect(registry.open(one)).rejects.toThrow(`${whereKeyOf(one, SHARDS)} is a list, not a hash`);
    }
  });
});
