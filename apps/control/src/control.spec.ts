import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configSchema } from '#usher/config';
import type { Config } from '#usher/config';
import { silentLog } from '#usher/domain';
import type { Session } from '#usher/domain';
import { startNode } from '#usher/node';
import type { ClusterNode } from '#usher/node';
import { Metrics, createLogger } from '#usher/observe';
import { ClusterClock, connectRedis, createSealer } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { startControl } from './control.js';

let server: RedisProcess;
let redis: RedisClient;
let clock: ClusterClock;
let astra: Server;
let listed: unknown[];
let data: string;
const nodes: ClusterNode[] = [];

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'usher-control-'));
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  clock = new ClusterClock(redis);
  await clock.start();
  astra = createServer((_, response) => response.end(JSON.stringify({ sessions: listed })));
  await new Promise<void>((resolve) => astra.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
});

afterAll(async () => {
  clock.stop();
  await redis.close();
  astra.closeAllConnections();
  astra.close();
  await server.stop();
  await rm(data, { recursive: true });
});

async function aNode(id: string): Promise<ClusterNode> {
  const url = `http://127.0.0.1:${(astra.address() as AddressInfo).port}`;
  const config: Config = configSchema.parse({
    redis: { url: server.url },
    data,
    control: { listen: '127.0.0.1:0' },
    edges: { 'astra-1': { control: { url, user: 'usher', password: 'pw' }, listInterval: '1s' }, plain: {} },
  });
  const node = await startNode({
    config,
    log: createLogger({ level: 'silent', format: 'json' }, { name: id }),
    id,
    host: 'test',
    version: '0',
    roles: ['control'],
    random: Math.random,
    redis,
    clock,
    sealer: createSealer(['a secret of sixteen characters']),
  });
  nodes.push(node);
  return node;
}

function aSession(sessionId: string, openedAt: number): Session {
  return {
    edge: 'astra-1',
    sessionId,
    fingerprint: `f${sessionId}`,
    viewerKey: `v${sessionId}`,
    channel: 'a001',
    ip: '192.0.2.7',
    userAgent: 'VLC',
    host: '',
    path: '/a001',
    dialect: 'astra',
    backend: 'portal',
    namespace: 'portal',
    user: `u${sessionId}`,
    sessionName: '',
    state: 'active',
    source: 'backend',
    presence: 'assumed',
    openedAt,
    authorizedUntil: 0,
    aliveUntil: openedAt + 14_400_000,
  };
}

describe('control', () => {
  it('keeps the registry as the edges’ lists say, sweeps it, and counts it', async () => {
    const node = await aNode('one');
    const openedAt = clock.now() - 60_000;
    for (const sessionId of ['1', '2', '3']) await node.registry.open(aSession(sessionId, openedAt));
    listed = ['1', '2'].map((id) => ({ client_id: id, channel_id: 'a001', addr: '192.0.2.7', uptime: 60 }));
    const metrics = new Metrics();
    const control = await startControl({ node, metrics });
    await eventually(
      async () => (await node.registry.read({ edge: 'astra-1', sessionId: '3' })) === undefined,
      {
        withinMs: 20_000,
      },
    );
    expect(await node.registry.read({ edge: 'astra-1', sessionId: '1' })).toMatchObject({
      presence: 'listed',
    });
    expect(control.health.ready()).toBe(true);
    expect(control.health.degraded()).toEqual([]);
    expect(control.health.details?.()).toMatchObject({
      edges: { 'astra-1': { last: { listed: 2, byId: 2 } } },
    });
    expect(await metrics.text()).toMatch(/usher_sessions\{presence="listed"\} 2\n/);
    await control.close();
    expect(await server.cli('KEYS', 'usher:lease:*')).toBe('');
  });

  it('says which edge’s list is of no use, and is ready all the same', async () => {
    const node = await aNode('two');
    listed = 'garbage' as unknown as unknown[];
    const control = await startControl({ node: { ...node, log: silentLog }, metrics: new Metrics() });
    await eventually(() => control.health.degraded().length === 1, { withinMs: 20_000 });
    expect(control.health.degraded()[0]).toMatch(/^session list of astra-1: .*no session list/);
    expect(control.health.ready()).toBe(true);
    await control.close();
  });
});
