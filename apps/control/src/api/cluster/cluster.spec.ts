import { startNode } from '#usher/node';
import { createSealer } from '#usher/redis';
import { eventually } from '#usher/testing';
import { OBSERVER, startApiWorld, type ApiWorld } from '../for-tests.js';

let world: ApiWorld;
beforeEach(async () => {
  world = await startApiWorld({
    backends: {
      portal: { type: 'ministra', url: 'http://user:s3cret@127.0.0.1:9/stalker_portal?key=s3cret' },
      billing: { type: 'http', url: 'http://127.0.0.1:9/', failMode: { stale: true, then: 'closed' } },
    },
    groups: { both: { backends: ['portal', 'billing'] } },
    routes: [{ group: 'both' }],
  });
});
afterEach(() => world.stop());

describe('what Usher is made of', () => {
  it('GET /backends: each with its state, and what that means for viewers; no secrets', async () => {
    const answer = await world.call('/backends', { token: OBSERVER });
    expect(answer.text).not.toContain('s3cret');
    expect(answer.body.backends).toEqual([
      expect.objectContaining({
        name: 'portal',
        type: 'ministra',
        address: 'http://127.0.0.1:9/stalker_portal',
        state: 'closed',
        says: 'It is asked.',
        failMode: 'open',
        groups: ['both'],
      }),
      expect.objectContaining({ name: 'billing', failMode: 'stale, then closed' }),
    ]);
  });

  it('GET /backends, GET /health: a backend that is suspended, for the whole cluster', async () => {
    const epoch = ['epoch', '1', 'since', '1000', 'downSince', '1000', 'rateBefore', '1', 'goodProbes', '0'];
    const fields = ['version', '1', 'state', 'suspended', ...epoch, 'step', '0', 'by', 'another'];
    await eventually(async () => {
      fields[fields.indexOf('since') + 1] = String(Math.floor(world.clock.now()));
      await world.redis.call('HSET', ['usher:breaker:{portal}', ...fields]);
      const [portal] = (await world.get('/backends')).backends;
      expect(portal).toMatchObject({
        state: 'suspended',
        says: 'It is suspended after failures: nobody asks it. Who is not known is let in on trust.',
      });
    });
    const health = await world.get('/health');
    expect(health).toMatchObject({ status: 'degraded', backends: { billing: 'closed' } });
    expect(health.problems.join()).toMatch(/backend portal is (suspended|half-open)/);
  });

  it('GET /nodes, GET /health: who lives', async () => {
    expect(await world.get('/nodes')).toEqual({
      alone: false,
      nodes: [
        {
          id: 'control-1',
          role: 'control',
          host: 'test',
          version: '0.1.0',
          heardAt: expect.any(String),
          isThis: true,
        },
      ],
    });
    expect((await world.get('/health')).problems).toEqual([
      'no gateway lives: nobody answers edges',
      'no worker lives: gateways ask the backends themselves',
    ]);
    const { config, log, random, redis, clock } = world.node;
    const sealer = createSealer(['a secret of sixteen characters']);
    const self = { id: 'other', host: 'elsewhere', version: '0.1.0', roles: ['gateway', 'worker'] } as const;
    const other = await startNode({ config, log, random, redis, clock, sealer, ...self });
    await eventually(async () => {
      expect(await world.get('/health')).toMatchObject({
        status: 'ok',
        problems: [],
        nodes: { gateway: 1, worker: 1, control: 1 },
      });
    });
    await other.close();
  });

  it('is answered without Redis', async () => {
    await world.server.kill();
    await eventually(() => world.redis.away);
    expect(await world.get('/health')).toMatchObject({
      redis: { away: true, trouble: expect.stringMatching(/./) },
    });
    expect((await world.get('/health')).problems).toContain('Redis is away');
    expect((await world.get('/backends')).backends).toHaveLength(2);
    expect((await world.call('/nodes')).status).toBe(200);
    for (const path of ['/sessions', '/counts', '/top?by=user', '/users/portal/1', '/sessions/a/b']) {
      expect(await world.call(path)).toMatchObject({ status: 503, body: { title: 'Redis is away' } });
    }
    expect(await world.get('/why')).toMatchObject({ complete: false, answers: [] });
  });
});
