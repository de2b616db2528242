import { GivenUpCuts } from '#usher/sessions';
import type { RedisClient } from '#usher/redis';
import { REDIS } from '../endpoint/tokens.js';
import { OBSERVER, startApiWorld, type ApiWorld } from '../for-tests.js';
import { CutsController } from './cuts.controller.js';

let world: ApiWorld;
let givenUp: GivenUpCuts;

beforeAll(async () => {
  const givenUpCuts = {
    provide: GivenUpCuts,
    useFactory: (redis: RedisClient) => new GivenUpCuts(redis),
    inject: [REDIS],
  };
  world = await startApiWorld({}, { controllers: [CutsController], providers: [givenUpCuts] });
  givenUp = new GivenUpCuts(world.redis);
});
afterAll(() => world?.stop());

describe('GET /cuts/given-up', () => {
  it('is empty where there are none', async () => {
    expect(await world.get('/cuts/given-up')).toEqual({ cuts: [], total: 0 });
  });

  it('lists the newest first, of one edge, no more than wanted, and says of how many', async () => {
    for (const [edge, sessionId] of ['astra-1/1', 'astra-2/2', 'astra-1/3', 'astra-1/4'].map((name) =>
      name.split('/'),
    )) {
      const cut = { edge: edge!, sessionId: sessionId!, reason: 'kicked', detail: 'status 500' } as const;
      await givenUp.keep({ ...cut, outcome: 'given-up' });
    }
    const { cuts, total } = await world.get('/cuts/given-up?edge=astra-1&limit=2', { token: OBSERVER });
    expect(total).toBe(3);
    expect(cuts).toMatchObject([
      { edge: 'astra-1', session: '4', reason: 'kicked', why: 'status 500' },
      { session: '3' },
    ]);
    expect(Math.abs(Date.parse(cuts[0].at) - world.clock.now())).toBeLessThan(60_000);
    expect((await world.get('/cuts/given-up')).total).toBe(4);
  });

  it('shows what an edge may have sent without control characters', async () => {
    const cut = { edge: 'astra-3', sessionId: 'a\r\nb', reason: 'evicted', detail: '\u001b[2J' } as const;
    await givenUp.keep({ ...cut, outcome: 'given-up' });
    const { text } = await world.call('/cuts/given-up?edge=astra-3');
    expect(text).toContain('a\\\\x0d\\\\x0ab');
    expect(text).not.toContain('\\u001b');
  });

  it('lists those of edges that cannot be told, by themselves where that is wanted', async () => {
    const cut = { edge: 'plain', sessionId: '1', reason: 'kicked', detail: 'edges.plain.control' } as const;
    await givenUp.keep({ ...cut, outcome: 'cannot' });
    expect((await world.get('/cuts/given-up?outcome=cannot')).cuts).toMatchObject([
      { edge: 'plain', session: '1', outcome: 'cannot', why: 'edges.plain.control' },
    ]);
    expect((await world.get('/cuts/given-up?edge=plain&outcome=given-up')).cuts).toEqual([]);
  });

  it('says what a limit may be', async () => {
    const { status, body } = await world.call('/cuts/given-up?limit=1001');
    expect([status, body.errors[0].says]).toEqual([400, 'a whole number from 1 to 1000']);
  });
});
