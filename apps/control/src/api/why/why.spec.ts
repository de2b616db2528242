import { Why } from '#usher/decisions';
import { silentLog, type BackendAnswer, type Check, type Decision } from '#usher/domain';
import { RedisSessionRegistry } from '#usher/sessions';
import { aSession, startApiWorld, type ApiWorld } from '../for-tests.js';

let world: ApiWorld;
let gateway: Why;
let count = 0;

beforeAll(async () => {
  world = await startApiWorld();
});
beforeEach(async () => {
  await world.server.cli('FLUSHALL');
  const { redis, why } = world.node.config;
  gateway = new Why({
    clock: world.clock,
    log: silentLog,
    redis: world.redis,
    shards: redis.shards,
    bounds: why,
    namespaceOf: (name) => name,
  });
});
afterAll(() => world?.stop());

function tell(parts: Partial<Check>, decision: Decision, answer?: BackendAnswer): string {
  count += 1;
  const check: Check = {
    id: `check-${count}`,
    dialect: 'astra',
    edge: 'astra-1',
    sessionId: `s${count}`,
    sessionGiven: true,
    channel: 'news',
    ip: '192.0.2.1',
    path: '/play/news',
    userAgent: 'VLC/3',
    host: '',
    origin: '',
    query: 'token=s3cret&mac=00',
    ...parts,
  };
  gateway.record(check, { decision, answer });
  return check.id;
}
const denied: Decision = {
  allow: false,
  source: 'backend',
  reason: 'backend-denied',
  backend: 'portal',
  status: 403,
  tookMs: 12.34,
};
const allowed: Decision = {
  allow: true,
  source: 'backend',
  reason: 'backend-allowed',
  backend: 'portal',
  user: '42',
  status: 200,
  tookMs: 8,
};
const onTrust: Decision = {
  allow: true,
  source: 'fail-open',
  reason: 'on-trust',
  backend: 'portal',
  because: 'backend',
};

const look = async (query = ''): Promise<{ id: string }[]> =>
  (await world.get(`/why${query}`)).answers as { id: string }[];
const ids = async (query: string): Promise<string[]> => (await look(query)).map(({ id }) => id).sort();

describe('GET /why', () => {
  it('says in a sentence why a viewer was refused, what the backend said, and what to do', async () => {
    const id = tell({ sessionId: '7' }, denied);
    await gateway.close();
    const answer = await world.call('/why?address=192.0.2.1');
    expect(answer.body).toEqual({
      complete: true,
      lookedAt: 'the last 20 answers to this address',
      answers: [
        {
          id,
          at: expect.any(String),
          allow: false,
          says: 'The backend refused this viewer.',
          whatToDo: expect.stringContaining('Ask the middleware why'),
          source: 'backend',
          reason: 'backend-denied',
          cause: null,
          backend: { name: 'portal', status: 403, tookMs: 12.3 },
          hold: null,
          user: null,
          edge: 'astra-1',
          session: '7',
          channel: 'news',
          address: '192.0.2.1',
          dialect: 'astra',
          userAgent: 'VLC/3',
          path: '/play/news',
          query: 'token=***&mac=***',
          times: 1,
          lastAt: expect.any(String),
        },
      ],
    });
    expect(answer.text).not.toContain('s3cret');
  });

  it('says why nobody could be asked, and whose fault it was', async () => {
    const base = { kind: 'unavailable', backend: 'portal', because: 'backend', tookMs: 1000 } as const;
    tell({}, onTrust, { ...base, reason: 'backend-timeout', detail: 'no answer within 1 s' });
    await gateway.close();
    const [answer] = await look();
    expect(answer).toMatchObject({
      allow: true,
      says: 'The backend cannot be asked: let in on trust.',
      whatToDo: expect.stringContaining('Look at the backend'),
      cause: {
        because: 'backend',
        reason: 'backend-timeout',
        says: 'The backend did not answer in time.',
        whatToDo: expect.stringContaining('Find out why the middleware is slow'),
        detail: 'no answer within 1 s',
      },
    });
  });

  it('names the hold that decided', async () => {
    const until = world.clock.now() + 60_000;
    const hold = {
      kind: 'address',
      subject: '192.0.2.1',
      by: 'anna',
      reason: 'shares',
      until,
      since: 0,
      effect: 'refuse',
      origin: 'hand',
    } as const;
    tell({}, { allow: false, source: 'hold', reason: 'held-refused', hold });
    await gateway.close();
    expect((await look())[0]).toMatchObject({
      hold: {
        kind: 'address',
        subject: '192.0.2.1',
        by: 'anna',
        reason: 'shares',
        until: new Date(until).toISOString(),
      },
    });
  });

  it('finds by user, address, channel, session, edge, backend, source, reason, id and time', async () => {
    const one = tell({ ip: '192.0.2.1', channel: 'news', edge: 'e1', sessionId: 'a' }, allowed);
    const two = tell({ ip: '192.0.2.1', channel: 'sport', edge: 'e2', sessionId: 'b' }, denied);
    const three = tell({ ip: '192.0.2.3', channel: 'news', edge: 'e1', sessionId: 'c' }, onTrust);
    const four = tell(
      { ip: '192.0.2.1', channel: 'news', edge: 'e1', sessionId: 'd' },
      { ...allowed, user: 'other' },
    );
    await gateway.close();
    expect(await ids('?user=42')).toEqual([one]);
    expect(await ids('?user=other&channel=news')).toEqual([four]);
    expect(await ids('?address=192.0.2.1')).toEqual([one, two, four]);
    expect(await ids('?address=192.0.2.1&edge=e1')).toEqual([one, four]);
    expect(await ids('?channel=news')).toEqual([three]);
    expect(await ids('?edge=e2')).toEqual([two]);
    expect(await ids('?session=c')).toEqual([three]);
    expect(await ids('?backend=portal')).toEqual([two, three]);
    expect(await ids('?source=fail-open')).toEqual([three]);
    expect(await ids('?reason=backend-denied')).toEqual([two]);
    expect(await ids('?allow=true')).toEqual([three]);
    expect(await ids(`?id=${two}`)).toEqual([two]);
    expect(await ids('?since=1h')).toEqual([two, three]);
    expect(await ids('?until=2000-01-01T00:00:00Z')).toEqual([]);
    expect(await ids('?limit=1')).toHaveLength(1);
  });

  it('finds an address however it is written there or here', async () => {
    const one = tell({ ip: '::ffff:192.0.2.9' }, denied);
    const two = tell({ ip: '2001:DB8:0:0::9', edge: 'e9' }, denied);
    await gateway.close();
    for (const address of ['192.0.2.9', '::FFFF:c000:209'])
      expect(await ids(`?address=${address}`)).toEqual([one]);
    expect(await ids('?address=2001:0db8::0009')).toEqual([two]);
    expect(await ids('?address=2001:0db8::0009&user=42')).toEqual([]);
    expect(await ids('?edge=e9&since=1h')).toEqual([two]);
  });

  it('has pages where nobody is named, each answer once', async () => {
    const all = Array.from({ length: 7 }, (_, at) => tell({ ip: `192.0.2.${at}` }, denied));
    await gateway.close();
    const found: string[] = [];
    let cursor: string | undefined = '';
    while (cursor !== undefined) {
      const page = await world.get(`/why?allow=false&limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
      found.push(...(page.answers as { id: string }[]).map(({ id }) => id));
      ({ cursor } = page as { cursor?: string });
    }
    expect(found.sort()).toEqual(all.sort());
  });

  it('of a session that lives knows the plain allows too', async () => {
    const registry = new RedisSessionRegistry(world.redis, world.clock, {
      shards: world.node.config.redis.shards,
    });
    await registry.open(
      aSession(Math.floor(world.clock.now()) - 1_000, { sessionId: 'living', ip: '192.0.2.9' }),
    );
    const id = tell({ sessionId: 'living', ip: '192.0.2.9' }, allowed);
    await gateway.close();
    expect(await ids('?session=living')).toEqual([]);
    expect(await ids('?session=living&edge=astra-1')).toEqual([id]);
  });

  it.each([
    ['reason=nonsense', 'reason'],
    ['since=monday', 'since'],
    ['allow=yes', 'allow'],
    ['token=x', 'token'],
    ['cursor=x', 'cursor'],
  ])('says what is wrong with ?%s', async (query, parameter) => {
    expect(await world.call(`/why?${query}`)).toMatchObject({
      status: 400,
      body: { errors: [{ parameter }] },
    });
  });
});
