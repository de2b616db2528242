import { existsSync } from 'node:fs';
import { eventually } from './eventually.js';
import { askRedis } from './redis-cli.js';
import { startRedisCluster } from './redis-cluster.js';
import { startRedis } from './redis-process.js';
import type { RedisProcess } from './redis-process.js';

let redis: RedisProcess | undefined;
afterEach(async () => redis?.stop());

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('startRedis', () => {
  it('serves on a port of its own and leaves nothing behind', async () => {
    redis = await startRedis();
    const other = await startRedis();
    expect(await redis.cli('SET', 'key', 'value')).toBe('OK');
    expect(await other.cli('EXISTS', 'key')).toBe('0');
    await other.stop();
    expect(isAlive(other.pid)).toBe(false);
    expect(existsSync(other.dir)).toBe(false);
  });

  it('forgets everything over a restart', async () => {
    redis = await startRedis();
    const { port, pid } = redis;
    await redis.cli('SET', 'key', 'value');
    await redis.restart();
    expect(redis.port).toBe(port);
    expect(redis.pid).not.toBe(pid);
    expect(await redis.cli('EXISTS', 'key')).toBe('0');
  });

  it('keeps its data over a kill where it is told to, until it is told to start empty', async () => {
    redis = await startRedis({ persist: true });
    await redis.cli('SET', 'key', 'value');
    await redis.kill();
    await expect(redis.cli('PING')).rejects.toThrow('REFUSED');
    await redis.restart();
    expect(await redis.cli('GET', 'key')).toBe('value');
    await redis.restart({ empty: true });
    expect(await redis.cli('EXISTS', 'key')).toBe('0');
  });

  it('answers nothing while it is paused', async () => {
    redis = await startRedis();
    redis.pause();
    let answered = false;
    const answer = redis.cli('PING').then((text) => {
      answered = true;
      return text;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(answered).toBe(false);
    redis.resume();
    expect(await answer).toBe('PONG');
  });

  it('can be stopped while it is paused', async () => {
    redis = await startRedis();
    redis.pause();
    await redis.stop();
    expect(isAlive(redis.pid)).toBe(false);
  });

  it('asks for its password', async () => {
    redis = await startRedis({ password: 'a secret' });
    expect(await redis.cli('PING')).toBe('PONG');
    expect(await askRedis(redis.port, ['PING'])).toContain('NOAUTH');
  });
});

describe('startRedisCluster', () => {
  it('spreads the slots over its masters', async () => {
    const cluster = await startRedisCluster(3);
    try {
      expect(cluster.nodes).toHaveLength(3);
      const answers = await Promise.all(cluster.nodes.map((node) => node.cli('SET', 'key', 'value')));
      expect(answers.filter((answer) => answer === 'OK')).toHaveLength(1);
      expect(answers.filter((answer) => answer.includes('MOVED'))).toHaveLength(2);
    } finally {
      await cluster.stop();
    }
    await eventually(() => cluster.nodes.every((node) => !isAlive(node.pid)));
  });
});
