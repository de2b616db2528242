import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  TEST_CERTIFICATE,
  TEST_KEY,
  eventually,
  freePort,
  startRedis,
  startRedisCluster,
} from '#usher/testing';
import { connectionFactory } from './connection-factory.js';
import { connectRedis } from './connect-redis.js';
import { openConnection, readTarget } from './options.js';
import { sessionKey, aliveKey } from './key-names.js';

const folder = mkdtempSync(join(tmpdir(), 'usher-connections-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** As an owner of a blocking connection has them. */
const RECONNECTING = {
  maxRetriesPerRequest: null,
  retryStrategy: () => 100,
  sentinelRetryStrategy: () => 100,
};

describe('settings', () => {
  const wrong: readonly [Parameters<typeof readTarget>[0], string][] = [
    [{}, 'redis.url: an address is needed'],
    [{ url: 'http://127.0.0.1:6379' }, 'redis.url: an address such as'],
    [{ url: 'redis://127.0.0.1/sessions' }, 'redis.url: an address such as'],
    [{ url: 'redis://a:1,redis://b:2' }, 'set redis.cluster: true'],
    [{ url: 'redis://a:1/3', cluster: true }, 'database 0 only'],
    [{ sentinels: ['a:1'], cluster: true }, 'a Cluster has no Sentinels'],
    [{ sentinels: ['a'] }, 'redis.sentinels: a is not host:port'],
    [{ url: 'redis://a:1', ca: '/ca.pem' }, 'redis.ca: needs an address with rediss://'],
    [{ url: 'rediss://a:1', ca: join(folder, 'none.pem') }, 'cannot be read'],
  ];

  it.each(wrong)('refuses %j', (settings, message) => {
    expect(() => readTarget(settings)).toThrow(message);
  });

  it('never repeats a password', () => {
    expect(() => readTarget({ url: 'redis:/user:hunter2@host' })).toThrow(/^(?!.*hunter2)/);
  });

  it('reads credentials, database and IPv6 addresses', () => {
    const { addresses, access } = readTarget({ url: 'redis://us%40er:p%2Fw@[::1]:7000/3' });
    expect(addresses[0]).toMatchObject({ host: '::1', port: 7_000 });
    expect(access).toEqual({ username: 'us@er', password: 'p/w', db: 3 });
  });
});

describe('Redis Cluster', () => {
  it('is one Redis to its clients, scripts and blocking reads included', async () => {
    const cluster = await startRedisCluster(3);
    const settings = { url: cluster.url, cluster: true, timeout: 2_000 };
    const client = connectRedis(settings);
    expect(await client.ready()).toBe(true);
    const shards = Array.from({ length: 16 }, (_, shard) => String(shard).padStart(2, '0'));
    const source = "redis.call('SET', KEYS[1], ARGV[1]); return redis.call('ZADD', KEYS[2], 1, ARGV[1])";
    const script = { name: 'open-2', source, sha: '0'.repeat(40), keys: 2 };
    for (const shard of shards) {
      expect(await client.run(script, [sessionKey(shard, 'astra-1', '42'), aliveKey(shard)], ['x'])).toBe(1);
    }
    const sizes = await Promise.all(cluster.nodes.map(async (node) => Number(await node.cli('DBSIZE'))));
    expect(sizes.reduce((sum, size) => sum + size)).toBe(32);
    for (const size of sizes) expect(size).toBeGreaterThan(0);

    const blocking = connectionFactory(settings)(RECONNECTING);
    blocking.on('error', () => undefined);
    const read = blocking.blpop('usher:{bus}:list', 4);
    await client.call('RPUSH', ['usher:{bus}:list', 'x']);
    expect(await read).toEqual(['usher:{bus}:list', 'x']);
    blocking.disconnect();
    await client.close();
    await cluster.stop();
  });

  it('is found again after all its nodes were gone', async () => {
    const cluster = await startRedisCluster(1);
    const client = connectRedis({ url: cluster.url, cluster: true, timeout: 1_000 });
    await client.ready();
    await cluster.nodes[0]!.kill();
    await eventually(async () => {
      await client.call('GET', ['key']).catch(() => undefined);
      return client.away;
    });
    await cluster.nodes[0]!.restart();
    await eventually(async () => (await client.call('SET', ['key', 'value'])) === 'OK');
    await client.close();
    await cluster.stop();
  });
});

describe('Sentinel', () => {
  it('leads to the master, and to the new one after a failover', async () => {
    const master = await startRedis();
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
    const sentinelPort = await freePort();
    const config = join(folder, 'sentinel.conf');
    const lines = [
      `monitor usher 127.0.0.1 ${master.port} 1`,
      `known-replica usher 127.0.0.1 ${replica.port}`,
      'down-after-milliseconds usher 500',
    ];
    writeFileSync(config, lines.map((line) => `sentinel ${line}\n`).join(''));
    const sentinel = await startRedis({ port: sentinelPort, sentinel: config });
    const settings = { sentinels: [`127.0.0.1:${sentinelPort}`], timeout: 1_000 };
    const client = connectRedis(settings);
    const blocking = connectionFactory(settings)(RECONNECTING);
    blocking.on('error', () => undefined);
    expect(await client.ready()).toBe(true);
    expect(await client.call('SET', ['key', 'value'])).toBe('OK');
    expect(await master.cli('GET', 'key')).toBe('value');

    await eventually(async () => (await replica.cli('GET', 'key')) === 'value');
    await master.kill();
    await eventually(async () => (await replica.cli('ROLE')).startsWith('master'), {
      withinMs: 20_000,
      everyMs: 100,
    });
    await eventually(
      async () => {
        await client.call('SET', ['after', 'value']);
        return (await replica.cli('GET', 'after')) === 'value';
      },
      { withinMs: 20_000, everyMs: 100 },
    );
    expect(await blocking.set('blocking', 'value')).toBe('OK');
    expect(await replica.cli('GET', 'blocking')).toBe('value');
    blocking.disconnect();
    await client.close();
    await Promise.all([sentinel.stop(), replica.stop(), master.stop()]);
  }, 180_000);
});

describe('TLS', () => {
  const key = join(folder, 'key.pem');
  const ca = join(folder, 'certificate.pem');

  beforeAll(() => {
    writeFileSync(key, TEST_KEY);
    writeFileSync(ca, TEST_CERTIFICATE);
  });

  it('verifies the certificate, unless told not to', async () => {
    const port = await freePort();
    const tls = [
      '--tls-port',
      String(port),
      '--tls-cert-file',
      ca,
      '--tls-key-file',
      key,
      '--tls-auth-clients',
      'no',
    ];
    const redis = await startRedis({ args: [...tls, '--tls-ca-cert-file', ca] });
    const url = `rediss://127.0.0.1:${port}`;
    const trusting = connectRedis({ url, ca, timeout: 1_000 });
    const careless = connectRedis({ url, insecure: true, timeout: 1_000 });
    const careful = connectRedis({ url, timeout: 1_000 });
    expect(await trusting.ready()).toBe(true);
    expect(await trusting.call('PING', [])).toBe('PONG');
    expect(await careless.ready()).toBe(true);
    await eventually(() => expect(careful.trouble).toContain('self-signed'));
    expect(careful.away).toBe(true);
    await Promise.all([trusting.close(), careless.close(), careful.close()]);
    await redis.stop();
  });
});

describe('writing', () => {
  it('sends all commands of one turn together, and a lone one at once', async () => {
    const redis = await startRedis();
    const connection = openConnection(readTarget({ url: redis.url }), {});
    await connection.connect();
    const { stream } = connection as unknown as { stream: Socket };
    const written: number[] = [];
    const one = stream._write.bind(stream);
    const many = stream._writev!.bind(stream);
    stream._write = (...args) => {
      written.push(1);
      one(...args);
    };
    stream._writev = (chunks, done) => {
      written.push(chunks.length);
      many(chunks, done);
    };
    expect(await Promise.all(['a', 'b', 'c'].map((text) => connection.echo(text)))).toEqual(['a', 'b', 'c']);
    expect(await connection.echo('d')).toBe('d');
    expect(written).toEqual([3, 1]);
    connection.disconnect();
    await redis.stop();
  });
});
