import { freePort, startRedis } from '#usher/testing';
import fc from 'fast-check';
import {
  aliveKey,
  allParts,
  breakerKey,
  channelKey,
  crc16,
  decodeName,
  encodeName,
  eventsKey,
  knownKey,
  partOf,
  sessionKey,
  shardOf,
  userKey,
  whereKey,
} from './key-names.js';

const byteString = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const hostile = fc.oneof(
  byteString,
  fc.constantFrom('', ':', '{07}', '}', '{', '/', '%', '%3A', 'a:b', '\r\n', '\0'),
);
const hashTag = (key: string) => /\{([^}]+)\}/.exec(key)?.[1];

describe('encodeName', () => {
  it('gives every byte string back', () => {
    fc.assert(fc.property(hostile, (name) => decodeName(encodeName(name)) === name));
  });

  it('leaves only what is legible', () => {
    fc.assert(fc.property(hostile, (name) => /^([A-Za-z0-9._@-]|%[0-9A-F]{2})*$/.test(encodeName(name))));
    expect(encodeName('client-42.home@isp_1')).toBe('client-42.home@isp_1');
    expect(encodeName('a:b/c{d} %')).toBe('a%3Ab%2Fc%7Bd%7D%20%25');
    expect(encodeName('\xe9')).toBe('%E9');
  });

  it('takes a character beyond a byte as its UTF-8', () => {
    expect(encodeName('я€')).toBe('%D1%8F%E2%82%AC');
    expect(encodeName('😀')).toBe('%F0%9F%98%80');
  });
});

describe('keys', () => {
  it('are never shared by two names', () => {
    const pair = fc.tuple(hostile, hostile);
    const differ = (make: (a: string, b: string) => string) =>
      fc.assert(
        fc.property(pair, pair, ([a, b], [c, d]) => (make(a, b) === make(c, d)) === (a === c && b === d)),
      );
    differ((edge, id) => sessionKey('07', edge, id));
    differ((namespace, user) => userKey('07', namespace, user));
    differ(breakerKey);
  });

  it('look as people read them', () => {
    expect(sessionKey('07', 'astra-1', '42')).toBe('usher:session:{07}:astra-1:42');
    expect(userKey('07', 'portal', '00:1A:79:00:00:01')).toBe(
      'usher:user:{07}:portal/00%3A1A%3A79%3A00%3A00%3A01',
    );
    expect(aliveKey('07')).toBe('usher:alive:{07}');
    expect(channelKey('07', 'a001')).toBe('usher:channel:{07}:a001');
    expect(eventsKey('07')).toBe('usher:events:{07}');
    expect(knownKey('07', 'portal', '042')).toBe('usher:known:{07}:portal:042');
    expect(whereKey('07', '042')).toBe('usher:where:{07}:042');
    expect(breakerKey('portal')).toBe('usher:breaker:{portal}');
    expect(breakerKey('portal', 'lease')).toBe('usher:breaker:{portal}:lease');
  });

  it('of one shard share one hash tag, whatever the names', () => {
    fc.assert(
      fc.property(hostile, hostile, fc.integer({ min: 0, max: 99 }), (a, b, number) => {
        const shard = String(number).padStart(2, '0');
        const keys = [
          sessionKey(shard, a, b),
          aliveKey(shard),
          userKey(shard, a, b),
          channelKey(shard, a),
          eventsKey(shard),
          knownKey(shard, a, '042'),
          whereKey(shard, '042'),
        ];
        return keys.every((key) => hashTag(key) === shard);
      }),
    );
  });
});

describe('shardOf', () => {
  it('names one of the shards, in two digits', () => {
    fc.assert(
      fc.property(hostile, fc.integer({ min: 1, max: 100 }), (text, shards) => {
        const shard = shardOf(text, shards);
        return /^\d\d$/.test(shard) && Number(shard) < shards;
      }),
    );
  });

  it('spreads users evenly', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 16_000; i += 1) {
      const shard = shardOf(`portal/user-${i}`, 16);
      counts.set(shard, (counts.get(shard) ?? 0) + 1);
    }
    expect(counts.size).toBe(16);
    for (const count of counts.values()) expect(count).toBeGreaterThan(700);
  });
});

describe('partOf', () => {
  it('names one of the parts of the shard', () => {
    const parts = new Set(allParts());
    expect(parts.size).toBe(256);
    fc.assert(
      fc.property(hostile, fc.integer({ min: 1, max: 100 }), (text, shards) =>
        parts.has(partOf(text, shards)),
      ),
    );
  });

  it('spreads the entries of one shard evenly, however many shards there are', () => {
    for (const shards of [1, 16, 100]) {
      const counts = new Map<string, number>();
      for (let i = 0, inShard = 0; inShard < 25_600; i += 1) {
        if (Number(shardOf(`astra-1/${i}`, shards)) !== 0) continue;
        inShard += 1;
        const part = partOf(`astra-1/${i}`, shards);
        counts.set(part, (counts.get(part) ?? 0) + 1);
      }
      expect(counts.size).toBe(256);
      for (const count of counts.values()) expect(count).toBeLessThan(200);
    }
  });
});

describe('crc16', () => {
  it('is the one of Redis Cluster', async () => {
    expect(crc16('123456789')).toBe(0x31c3);
    const port = String(await freePort());
    const redis = await startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-port', port] });
    for (const key of ['a', '07', 'bus', 'a longer name', 'grüße']) {
      const slot = await redis.cli('CLUSTER', 'KEYSLOT', key);
      expect(crc16(Buffer.from(key).toString('latin1')) % 16_384).toBe(Number(slot));
    }
    await redis.stop();
  });

  it('counts a character beyond a byte as its UTF-8', () => {
    expect(crc16('я')).toBe(crc16(Buffer.from('я').toString('latin1')));
  });
});
