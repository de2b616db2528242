import { Logger } from '@nestjs/common';
import { Cluster } from 'ioredis';
import { lastValueFrom } from 'rxjs';
import { eventually, startRedisCluster } from '#usher/testing';
import type { RedisClusterProcess } from '#usher/testing';
import { BUS_REDIS_OPTIONS, Membership, StreamClient, StreamServer } from './index.js';

// What it logs is expected here.
Logger.overrideLogger(false);

describe('the bus on a Redis Cluster', () => {
  let cluster: RedisClusterProcess;

  const connect = (): Cluster =>
    new Cluster(
      cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
      {
        enableOfflineQueue: false,
        clusterRetryStrategy: (times) => Math.min(25 * times, 250),
        redisOptions: { ...BUS_REDIS_OPTIONS },
      },
    );

  beforeAll(async () => {
    cluster = await startRedisCluster(3);
  });

  afterAll(async () => {
    await cluster.stop();
  });

  it('keeps in one slot what belongs together: requests in all lanes, events, beats', async () => {
    const membership = new Membership({ connect, role: 'worker', host: 'h', version: '1', beatMs: 100 });
    const server = new StreamServer({ connect, membership, lanes: { one: 2, two: 2, 'odd {name}:x': 2 } });
    server.addHandler('work', async (data: unknown) => data);
    server.addHandler('other', async (data: unknown) => data);
    const client = new StreamClient({ connect, membership });
    const heard: unknown[] = [];
    client.events.on('news', (data) => heard.push(data));
    await Promise.all([membership.start(), client.connect(), server.listen(() => undefined)]);
    await eventually(() => server.consuming);
    await client.events.tailing(10_000);
    for (const pattern of ['work', 'other']) {
      for (const lane of ['one', 'two', 'odd {name}:x']) {
        const many = [1, 2, 3, 4, 5].map((n) => client.request(pattern, n, { lane, low: n > 3 }));
        expect(
          (await Promise.all(many)).map((outcome) => outcome.kind === 'answered' && outcome.data),
        ).toEqual([1, 2, 3, 4, 5]);
      }
    }
    await lastValueFrom(client.emit('news', 'of all'), { defaultValue: undefined });
    await eventually(() => expect(heard).toEqual(['of all']));
    await eventually(() => membership.hasWorker('work', 'one'));
    await Promise.all([client.close(), server.close()]);
    await membership.leave();
  });
});
