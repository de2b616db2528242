import { EventWriter, RedisSessionRegistry } from '#usher/sessions';
import { aSession, OBSERVER, startApiWorld, type ApiWorld } from '../for-tests.js';

let world: ApiWorld;
let writer: EventWriter;

beforeAll(async () => {
  world = await startApiWorld();
  writer = new EventWriter(world.redis, world.clock, { shards: world.node.config.redis.shards });
});
beforeEach(() => world.redis.call('FLUSHALL', []));
afterAll(() => world?.stop());

interface Shown {
  readonly type: string;
  readonly facts: Readonly<Record<string, string>>;
}
const list = async (query = ''): Promise<Shown[]> => (await world.get(`/events${query}`)).events as Shown[];
const types = async (query: string): Promise<string[]> => (await list(query)).map(({ type }) => type).sort();

async function anEvening(): Promise<void> {
  const { shards } = world.node.config.redis;
  const registry = new RedisSessionRegistry(world.redis, world.clock, { shards });
  const openedAt = Math.floor(world.clock.now()) - 1_000;
  await registry.open(aSession(openedAt, { sessionId: '1' }));
  await registry.open(aSession(openedAt, { sessionId: '2', edge: 'astra-2', user: '100501' }));
  await registry.close({ edge: 'astra-1', sessionId: '1' }, 'closed-by-edge');
  await writer.tell('check.denied', 'astra-1/3', { edge: 'astra-1', sessionId: '3', user: '100501' });
  await writer.tell('hold.set', 'portal/100500', { kind: 'user', subject: 'portal/100500', by: 'anna' });
  await writer.tell('breaker.suspended', 'portal', { backend: 'portal' });
}

describe('GET /events', () => {
  it('lists what happened, the newest first, for observers too', async () => {
    await writer.tell('test.first' as never, 'same', { n: 1 });
    await writer.tell('test.second' as never, 'same', { n: 2 });
    const { events, cursor } = await world.get('/events', { token: OBSERVER });
    expect(events).toMatchObject([
      { type: 'test.second', facts: { n: '2' } },
      { type: 'test.first', facts: { n: '1' } },
    ]);
    expect(cursor).toBeUndefined();
  });

  it('finds by type, edge, session, user, backend and time', async () => {
    await anEvening();
    expect(await list()).toHaveLength(6);
    expect(await types('?type=session.*')).toEqual(['session.closed', 'session.opened', 'session.opened']);
    expect(await types('?type=session.closed,breaker.*')).toEqual(['breaker.suspended', 'session.closed']);
    expect(await types('?edge=astra-2')).toEqual(['session.opened']);
    expect(await types('?edge=astra-1&session=1')).toEqual(['session.closed', 'session.opened']);
    expect(await types('?user=100500')).toEqual(['hold.set', 'session.closed', 'session.opened']);
    expect(await types('?user=100501&namespace=portal')).toEqual(['check.denied', 'session.opened']);
    expect(await types('?user=100501&namespace=other')).toEqual(['check.denied']);
    expect(await types('?backend=portal&type=breaker.*')).toEqual(['breaker.suspended']);
    expect(await types('?until=1h')).toEqual([]);
    expect(await list('?since=1h')).toHaveLength(6);
  });

  it('has pages', async () => {
    await anEvening();
    const all: Shown[] = [];
    let cursor: string | undefined = '';
    while (cursor !== undefined) {
      const page = await world.get(`/events?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      all.push(...(page.events as Shown[]));
      ({ cursor } = page as { cursor?: string });
    }
    expect(all).toEqual(await list());
  });

  it.each([
    ['type=Sess%20ion', 'type'],
    ['cursor=x', 'cursor'],
    ['limit=501', 'limit'],
    ['token=x', 'token'],
  ])('says what is wrong with ?%s', async (query, parameter) => {
    expect(await world.call(`/events?${query}`)).toMatchObject({
      status: 400,
      body: { errors: [{ parameter }] },
    });
  });
});
