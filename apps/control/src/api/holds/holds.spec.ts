import { credentialKeyOf } from '#usher/domain';
import { OBSERVER, startApiWorld, type ApiWorld } from '../for-tests.js';

let world: ApiWorld;

beforeAll(async () => {
  world = await startApiWorld({
    backends: { portal: { type: 'http', url: 'http://127.0.0.1:9/check' } },
    routes: [{ name: 'sports', match: { channel: 's*' }, backend: 'portal' }, { backend: 'portal' }],
  });
});

afterAll(async () => {
  await world?.stop();
});

const post = (path: string, body: unknown, token?: string) =>
  world.call(path, { method: 'POST', body, ...(token === undefined ? {} : { token }) });
const remove = (path: string) => world.call(path, { method: 'DELETE' });
const HOLD = { kind: 'user', subject: 'portal/anna', for: '6h', reason: 'shares the account' };

describe('holds by hand', () => {
  it('are set, in force at once, listed with who and why, and lifted', async () => {
    const set = await post('/holds', HOLD);
    expect(set).toMatchObject({
      status: 200,
      body: { effect: 'refuse', origin: 'hand', reason: HOLD.reason },
    });
    expect(Date.parse(set.body.until) - Date.parse(set.body.since)).toBeGreaterThan(6 * 3_600_000 - 5_000);
    expect(world.node.holds.ofUser('portal', 'anna', '')?.effect).toBe('refuse');
    const listed = await world.get('/holds?kind=user');
    expect(listed).toMatchObject({
      total: 1,
      next: null,
      holds: [{ subject: 'portal/anna', by: set.body.by }],
    });
    expect(await remove('/holds/user/portal%2Fanna')).toMatchObject({ status: 200, body: { lifted: true } });
    expect(await remove('/holds/user/portal%2Fanna')).toMatchObject({ status: 404 });
    expect(world.node.holds.ofUser('portal', 'anna', '')).toBeUndefined();
  });

  it('on a credential keep its digest only, in Redis, the list and the audit log', async () => {
    const token = 'a-token-that-nobody-may-see';
    const set = await post('/holds', { kind: 'credential', credential: token, for: '1h', reason: 'sold on' });
    expect(set.body.subject).toBe(credentialKeyOf(token));
    const audit = await world.call('/audit');
    const all = [
      audit.text,
      (await world.call('/holds')).text,
      ...world.lines.map((line) => JSON.stringify(line)),
    ];
    expect(all.join()).not.toContain(token);
    expect(await world.redis.call('HKEYS', ['usher:{holds}'])).not.toContain(token);
    await remove(`/holds/credential/${set.body.subject}`);
  });

  it('are paged, each on one page', async () => {
    for (let i = 0; i < 7; i += 1) await post('/holds', { ...HOLD, kind: 'channel', subject: `c${i}` });
    const seen: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const page = await world.get(`/holds?kind=channel&limit=3&after=${encodeURIComponent(next)}`);
      seen.push(...page.holds.map((hold: { subject: string }) => hold.subject));
      next = page.next;
    }
    expect(seen).toEqual(['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6']);
  });

  it.each<[string, object, string]>([
    ['both ends', { ...HOLD, until: '2030-01-01T00:00:00Z' }, 'either until or for'],
    ['no end', { ...HOLD, for: undefined }, 'either until or for'],
    ['a time that is past', { ...HOLD, for: undefined, until: '2020-01-01T00:00:00Z' }, 'past'],
    ['no network', { ...HOLD, kind: 'network', subject: '10.0.0.0/99' }, '10.0.0.0/8'],
    ['a user without a namespace', { ...HOLD, subject: 'anna' }, 'namespace/user'],
    ['everybody', { ...HOLD, kind: 'agent', subject: '*' }, 'everybody'],
    ['no reason', { ...HOLD, reason: '' }, 'say why'],
    ['a kind that there is not', { ...HOLD, kind: 'planet' }, 'kind'],
  ])('with %s are refused with a word why', async (_, body, word) => {
    const { status, text } = await post('/holds', body);
    expect(status).toBe(422);
    expect(text).toContain(word);
  });

  it('are for operators', async () => {
    expect((await post('/holds', HOLD, OBSERVER)).status).toBe(403);
    expect((await world.call('/holds', { token: OBSERVER })).status).toBe(200);
  });
});

describe('switches', () => {
  const SWITCH = { kind: 'backend', name: 'portal', mode: 'maintenance', for: '2h', reason: 'new disks' };

  it('are set, in force at once, listed, and lifted', async () => {
    expect(await post('/switches', SWITCH)).toMatchObject({ status: 200, body: { mode: 'maintenance' } });
    expect(world.node.switches.ofBackend('portal')?.mode).toBe('maintenance');
    const route = { ...SWITCH, kind: 'route', name: 'sports', mode: 'closed' };
    expect((await post('/switches', route)).status).toBe(200);
    const { switches } = await world.get('/switches');
    expect(switches.map(({ name }: { name: string }) => name).sort()).toEqual(['portal', 'sports']);
    expect((await remove('/switches/backend/portal')).status).toBe(200);
    expect((await remove('/switches/route/sports')).status).toBe(200);
    expect((await remove('/switches/route/sports')).status).toBe(404);
    expect(world.node.switches.ofBackend('portal')).toBeUndefined();
  });

  it('of what there is not, or for longer than a month, are refused with a word why', async () => {
    expect((await post('/switches', { ...SWITCH, name: 'nobody' })).text).toContain('portal');
    expect((await post('/switches', { ...SWITCH, for: '32d' })).status).toBe(422);
  });
});

describe('a refresh', () => {
  it('says of how many sessions it is', async () => {
    expect(await post('/users/portal/anna/refresh', undefined)).toMatchObject({
      status: 200,
      body: { sessions: 0, askedAgain: 0 },
    });
  });
});
