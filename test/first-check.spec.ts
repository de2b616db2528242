import { startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from './support/cluster.js';
import { ASKED } from './support/deadline.js';
import { endpoint } from './support/middlewares.js';

describe('one gateway, one worker and a real Redis', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;

  beforeAll(async () => {
    portal = await startFakePortal();
    portal.behave(endpoint(new Map([['123', 'anna']])));
    cluster = await startCluster({ backends: { portal: { type: 'http', url: `${portal.url}/check` } } });
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  it('answers an Astra’s check through the worker, then from memory', async () => {
    const first = await cluster.gateway.check();
    expect(first).toMatchObject({ status: 200, source: ASKED });
    expect(first.headers['x-session-name']).toBe('anna');
    expect(await cluster.gateway.check()).toMatchObject({ status: 200, source: 'cache' });
    expect(portal.requests.map(({ url }) => url)).toEqual(['/check?token=123']);
  });

  it('denies a wrong token', async () => {
    expect(await cluster.gateway.check({ sessionId: '43', query: 'token=wrong' })).toMatchObject({
      status: 403,
      source: ASKED,
    });
  });
});
