import type { Session } from '#usher/domain';
import type { RedisClient } from '#usher/redis';

/** A session of tests, alive for an hour. */
export function aSession(changes: Partial<Session> = {}): Session {
  const now = Date.now();
  return {
    edge: 'astra-1',
    sessionId: '42',
    fingerprint: 'mfrggzdfmztwq2lkmfrggzdfmz',
    viewerKey: 'nbswy3dpo53xo4tmnbswy3dpo5',
    channel: 'a001',
    ip: '192.0.2.7',
    userAgent: 'VLC/3.0.18 LibVLC/3.0.18',
    host: 'live.example.com',
    path: '/play/a001/index.m3u8',
    dialect: 'astra',
    backend: 'portal',
    namespace: 'portal',
    user: '100500',
    sessionName: 'anna',
    state: 'active',
    source: 'backend',
    presence: 'assumed',
    openedAt: now,
    authorizedUntil: 0,
    aliveUntil: now + 3_600_000,
    ...changes,
  };
}

/**
 * Recomputes every index from the hashes of the sessions and compares. Returns what differs: nothing where the registry
 * is consistent. It walks the key space, which only a test may.
 */
export async function audit(redis: RedisClient, keys: readonly string[]): Promise<string[]> {
  const actual = new Map<string, Map<string, string>>();
  const expected = new Map<string, Map<string, string>>();
  const expect = (key: string, member: string, value: string): void => {
    const index = expected.get(key) ?? new Map<string, string>();
    expected.set(key, index.set(member, value));
  };
  const count = (key: string, name: string): void => {
    expect(key, name, String(Number(expected.get(key)?.get(name) ?? 0) + 1));
  };
  for (const key of keys) {
    const kind = key.split(':')[1]!;
    if (kind === 'session') await expectOf(redis, key, expect, count);
    if (['alive', 'channel', 'edge', 'edges'].includes(kind)) {
      const entries = pairs(await redis.call('ZRANGE', [key, 0, -1, 'WITHSCORES']));
      // The parts of an edge are one index; that there are parts must be told, and may be told when they are gone.
      const index = key.split(':').slice(0, 4).join(':');
      const scores = actual.get(index) ?? new Map<string, string>();
      actual.set(index, scores);
      for (const [member, score] of entries) {
        const untold = score === '0' && keys.some((one) => one.startsWith(`${partsOf(key, member)}:`));
        if (kind === 'edges') scores.set(member, untold ? 'parts untold' : '0');
        else scores.set(member, scores.has(member) ? 'twice' : score);
      }
    }
    if (kind === 'user' || kind === 'counts') actual.set(key, pairs(await redis.call('HGETALL', [key])));
  }
  const lives = await livesOf(redis, keys);
  for (const [key, counts] of actual) {
    if (key.startsWith('usher:counts:'))
      for (const [name, value] of counts) if (value === '0') counts.delete(name);
  }
  return [...differences(expected, actual), ...lives];
}

/** An index of a user or a channel ends, and not before a record that it names. */
async function livesOf(redis: RedisClient, keys: readonly string[]): Promise<string[]> {
  const endOf = async (key: string): Promise<number> => Number(await redis.call('PEXPIRETIME', [key]));
  const found: string[] = [];
  for (const key of keys) {
    const [, kind = '', tag = ''] = key.split(':');
    if ((kind === 'user' || kind === 'channel') && (await endOf(key)) < 0) found.push(`${key}: has no end`);
    if (kind !== 'session') continue;
    const [user, channel] = (await redis.call('HMGET', [key, 'user', 'channel'])) as (string | null)[];
    const end = await endOf(key);
    const indexes = [
      `usher:channel:${tag}:${channel}`,
      ...(user === null ? [] : [`usher:user:${tag}:${user}`]),
    ];
    for (const index of indexes) {
      if ((await endOf(index)) < end) found.push(`${index}: ends before ${key}`);
    }
  }
  return found;
}

function partsOf(edges: string, edge: string): string {
  return `${edges.replace('usher:edges:', 'usher:edge:')}:${edge}`;
}

async function expectOf(
  redis: RedisClient,
  key: string,
  expect: (key: string, member: string, value: string) => void,
  count: (key: string, name: string) => void,
): Promise<void> {
  const tag = /\{\d\d\}/.exec(key)![0];
  const member = key.slice(`usher:session:${tag}:`.length);
  const hash = pairs(await redis.call('HGETALL', [key]));
  const of = (field: string): string => hash.get(field) ?? '';
  const edge = member.split(':')[0]!;
  expect(`usher:alive:${tag}`, member, String(await redis.call('ZSCORE', [`usher:alive:${tag}`, member])));
  expect(`usher:channel:${tag}:${of('channel')}`, member, of('openedAt'));
  expect(`usher:edge:${tag}:${edge}`, member, of('openedAt'));
  expect(`usher:edges:${tag}`, edge, '0');
  if (of('user') !== '') {
    const presence = of('state') === 'revoked' ? 'revoked' : of('presence');
    const entry = `${of('openedAt')}|${of('viewerKey').slice(0, 8)}|${presence}|0`;
    expect(`usher:user:${tag}:${of('user')}`, member, entry);
  }
  count(`usher:counts:${tag}`, `presence:${of('presence')}`);
  count(`usher:counts:${tag}`, `state:${of('state')}`);
}

function differences(
  expected: ReadonlyMap<string, ReadonlyMap<string, string>>,
  actual: ReadonlyMap<string, ReadonlyMap<string, string>>,
): string[] {
  const found: string[] = [];
  for (const key of new Set([...expected.keys(), ...actual.keys()])) {
    const should = expected.get(key) ?? new Map<string, string>();
    const is = actual.get(key) ?? new Map<string, string>();
    for (const member of new Set([...should.keys(), ...is.keys()])) {
      if (should.get(member) === is.get(member)) continue;
      found.push(
        `${key} ${member}: ${is.get(member) ?? 'missing'}, should be ${should.get(member) ?? 'missing'}`,
      );
    }
  }
  return found;
}

function pairs(reply: unknown): Map<string, string> {
  const list = reply as string[];
  const map = new Map<string, string>();
  for (let i = 0; i < list.length; i += 2) map.set(list[i]!, list[i + 1]!);
  return map;
}
