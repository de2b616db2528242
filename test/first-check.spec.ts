import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { startRedis, type RedisProcess } from '#usher/testing';
import { startUsher, type UsherProcess } from './support/usher-process.js';

/** A portal that allows token=123 and counts its calls. */
async function startPortal(): Promise<{ url: string; calls: string[]; server: Server }> {
  const calls: string[] = [];
  const server = createServer((request, response) => {
    calls.push(request.url ?? '');
    const allowed = request.url?.includes('token=123') === true;
    response.writeHead(allowed ? 200 : 403, allowed ? { 'X-Session-Name': 'anna' } : {}).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/check`, calls, server };
}

describe('one gateway, one worker and a real Redis', () => {
  let redis: RedisProcess;
  let portal: Awaited<ReturnType<typeof startPortal>>;
  let worker: UsherProcess;
  let gateway: UsherProcess;

  beforeAll(async () => {
    [redis, portal] = await Promise.all([startRedis(), startPortal()]);
    const config = { redis: { url: redis.url }, backends: { portal: { type: 'http', url: portal.url } } };
    worker = await startUsher('worker', config);
    gateway = await startUsher('gateway', config);
  });

  afterAll(async () => {
    await Promise.all([gateway?.end(), worker?.end()]);
    await redis?.stop();
    portal?.server.close();
  });

  it('answers an Astra’s check through the worker, then from memory', async () => {
    const first = await gateway.check();
    expect(first).toMatchObject({ status: 200, source: 'backend' });
    expect(first.headers['x-session-name']).toBe('anna');
    expect(await gateway.check()).toMatchObject({ status: 200, source: 'cache' });
    expect(portal.calls).toEqual(['/check?token=123']);
  });

  it('denies a wrong token', async () => {
    expect(await gateway.check({ sessionId: '43', query: 'token=wrong' })).toMatchObject({
      status: 403,
      source: 'backend',
    });
  });
});
