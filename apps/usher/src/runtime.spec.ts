import { silentLog } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import { eventually, startRedis } from '#usher/testing';
import { checkWhenItComes } from './runtime.js';

describe('a Redis that was away when Usher started', () => {
  it('is looked at when it first comes, and once', async () => {
    const server = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    await server.kill();
    const redis = connectRedis({ url: server.url, timeout: 1_000 });
    const said: string[] = [];
    let times = 0;
    try {
      expect(await redis.ready(50)).toBe(false);
      checkWhenItComes(redis, { ...silentLog, warn: (_, text) => said.push(text) });
      redis.onAway((away) => (times += away ? 0 : 1));
      await server.restart();
      await eventually(() => said.length === 2);
      expect(said[0]).toContain('allkeys-lru');
      expect(said[1]).toContain('keeps nothing on disk');
      await server.kill();
      await eventually(() => redis.away);
      await server.restart();
      await eventually(() => times === 2);
      // What it would be asked again is asked before this.
      await redis.call('PING', []);
      expect(said).toHaveLength(2);
    } finally {
      await redis.close();
      await server.stop();
    }
  });
});
