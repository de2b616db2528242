import {
  eventually,
  startFakeAstra,
  startFakePortal,
  webhookPayload,
  type FakeAstra,
  type FakePortal,
} from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { foundSession } from '../support/found-session.js';

describe('a session of an Astra', () => {
  let portal: FakePortal;
  let astra: FakeAstra;
  let cluster: UsherCluster;

  beforeAll(async () => {
    portal = await startFakePortal();
    portal.allow({ 'X-Session-Name': 'anna' });
    // Its control API only: checks are made by the tests themselves, so that ids and gateways are theirs to choose.
    astra = await startFakeAstra({ auth: `${portal.url}/check`, user: 'usher', password: 'open sesame' });
    const config = {
      // What is shared between sessions is gone soon: a check answered from memory later is the session's own.
      gateway: { answerTtl: { allow: '1ms' } },
      edges: {
        'astra-1': {
          control: { url: astra.url, user: 'usher', password: 'open sesame' },
          listInterval: '1s',
        },
      },
      backends: { portal: { type: 'http', url: `${portal.url}/check` } },
    };
    cluster = await startCluster(config, { all: 1, gateways: 1 });
  });

  afterAll(async () => {
    await cluster?.stop();
    await Promise.all([astra?.stop(), portal?.stop()]);
  });

  const isRegistered = async (id: string): Promise<boolean> =>
    (await cluster.redis.cli('KEYS', `usher:session:*:astra-1:${id}`)) !== '';

  it('is forgotten by every gateway when the webhook tells that it ended, and asked about when its id comes again', async () => {
    const [one, other] = cluster.gateways;
    const check = { sessionId: 'w-1', query: 'token=w-1' };
    expect(await one!.check(check)).toMatchObject({ status: 200, source: 'backend' });
    await eventually(async () => (await foundSession(cluster.redis, 'w-1')) !== undefined);
    expect(await other!.check(check)).toMatchObject({ status: 200, source: 'session' });

    const ended = { client_id: 'w-1', channel_id: 'a001', channel_name: 'One', addr: '192.0.2.7', uptime: 5 };
    const told = await fetch(`http://127.0.0.1:${one!.port}/e/astra-1/closed`, {
      method: 'POST',
      body: webhookPayload(ended as never),
    });
    expect(told.status).toBe(204);
    await eventually(async () => !(await isRegistered('w-1')));
    portal.deny();
    for (const gateway of [one!, other!]) {
      await eventually(async () => (await gateway.check(check)).source !== 'cache');
    }
    portal.allow({ 'X-Session-Name': 'anna' });
  });

  it('lives on as listed while its Astra’s list has it, and control says so', async () => {
    const listed = await astra.play({ channel: 'a001', query: 'token=listed', ip: '192.0.2.8' });
    expect(listed.allowed).toBe(true);
    const [session] = astra.sessions;
    const id = session!.client_id;
    const check = { sessionId: id, channel: 'a001', query: 'token=listed', ip: '192.0.2.8' };
    expect((await cluster.gateway.check(check)).status).toBe(200);
    await eventually(async () => {
      const [key = ''] = (await cluster.redis.cli('KEYS', `usher:session:*:astra-1:${id}`)).split('\n');
      return (await cluster.redis.cli('HGET', key, 'presence')) === 'listed';
    });
    expect((await cluster.control.health('/health/ready')).body).toContain('astra-1');
  });
});
