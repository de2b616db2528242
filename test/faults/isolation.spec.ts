import { eventually, freePort, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { told } from '../support/deadline.js';

describe('a worker that does not reach the portal, while others do,', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let count = 0;
  const backend = (url: string) => ({
    portal: { type: 'http', url: `${url}/check`, breaker: { consecutive: 3, openFor: '60s' } },
  });

  beforeAll(async () => {
    portal = await startFakePortal();
    cluster = await startCluster({ edges: { 'astra-1': {} }, backends: backend(portal.url) }, { workers: 2 });
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  const crowd = (size: number): Promise<string[]> =>
    Promise.all(
      Array.from({ length: size }, async () => {
        count += 1;
        return told(await cluster.gateway.check({ sessionId: `i${count}`, query: `token=${count}` }));
      }),
    );

  it('suspends it for nobody, and takes no more questions about it', async () => {
    portal.slow(20);
    await crowd(60);
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    const broken = await cluster.add('worker', { backends: backend(nowhere) });
    await eventually(async () => {
      // The others are asked meanwhile: they know better.
      await crowd(30);
      expect(broken.output()).toContain('portal cannot be reached from here');
    });
    for (let round = 0; round < 3; round += 1) expect(await crowd(40)).toEqual(Array(40).fill('200 asked'));
    expect(await cluster.gateway.problems()).toEqual([]);
    expect(cluster.output()).not.toContain('portal is suspended');
  });
});
