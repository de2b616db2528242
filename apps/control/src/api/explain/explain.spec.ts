import { Why } from '#usher/decisions';
import { RedisKnownViewers, RedisSessionRegistry } from '#usher/sessions';
import { identify } from '#usher/decisions';
import { startFakePortal, eventually, type FakePortal } from '#usher/testing';
import { aSession, OBSERVER, startApiWorld, type Answer, type ApiWorld } from '../for-tests.js';
import { readCheck } from './asked-check.js';
import { explain as walk } from './explain.js';
import type { Rung } from './rung.js';

let world: ApiWorld;
let portal: FakePortal;

beforeAll(async () => {
  portal = await startFakePortal();
  world = await startApiWorld({
    limits: { mode: 'enforce' },
    edges: { 'astra-1': {}, 'alta-1': { dialect: 'alta' }, 'flussonic-1': { dialect: 'flussonic' } },
    backends: {
      portal: { type: 'http', url: `${portal.url}/check`, credentialParameter: 'token' },
      billing: { type: 'http', url: `${portal.url}/check`, credential: 'reusable', failMode: 'closed' },
      capped: {
        type: 'http',
        url: `${portal.url}/check`,
        credential: 'reusable',
        device: 'mac',
        maxDevices: 1,
      },
      oneshot: { type: 'http', url: `${portal.url}/check`, device: 'mac', maxDevices: 1 },
      third: { type: 'http', url: `${portal.url}/third`, credential: 'reusable' },
    },
    groups: { both: { backends: ['billing', 'third'] } },
    routes: [
      { match: { channel: 'promo' }, access: 'public' },
      { match: { channel: 'billed' }, backend: 'billing' },
      { match: { channel: 'capped' }, backend: 'capped' },
      { match: { channel: 'oneshot' }, backend: 'oneshot' },
      { match: { channel: 'grouped' }, group: 'both' },
      { match: { channel: 'watched' }, backend: 'billing', mode: 'observe' },
      { match: { channel: 'a*' }, backend: 'portal' },
    ],
  });
});
beforeEach(async () => {
  await world.server.cli('FLUSHALL');
  portal.allow();
  portal.requests.length = 0;
});
afterAll(async () => {
  await world?.stop();
  await portal?.down();
});

const CHECK = {
  edge: 'astra-1',
  channel: 'a001',
  address: '192.0.2.7',
  userAgent: 'VLC',
  query: 'token=s3cret',
};
const call = (body: unknown, token?: string): Promise<Answer> =>
  world.call('/explain', { method: 'POST', body, token });
const explain = async (parts: object = {}): Promise<Answer['body']> => {
  const answer = await call({ ...CHECK, ...parts });
  expect(answer.status).toBe(200);
  expect(answer.text).not.toContain('s3cret');
  return answer.body as unknown;
};
const rung = (answer: Answer['body'], name: string): Rung =>
  (answer as { rungs: Rung[] }).rungs.find((one) => one.rung === name)!;

/** The session that this check opens, as a gateway would have it. */
function sessionOf(parts: object = {}) {
  const facts = {
    id: 'x',
    dialect: 'astra',
    edge: 'astra-1',
    channel: 'a001',
    ip: '192.0.2.7',
    path: '',
    userAgent: 'VLC',
    host: '',
    origin: '',
    query: 'token=s3cret',
  } as const;
  const backends = new Map([
    [
      'portal',
      {
        name: 'portal',
        namespace: 'portal',
        credential: 'once',
        credentialParameter: 'token',
        hasLogins: false,
        device: undefined,
        timeout: 1_000,
      } as const,
    ],
  ]);
  const route = {
    target: 'portal',
    backends: ['portal'],
    mode: 'enforce',
    failMode: { kind: 'open' },
    overload: undefined,
  } as const;
  const { check, identity } = identify(facts, '', route, backends);
  const openedAt = Math.floor(world.clock.now()) - 60_000;
  return { ...aSession(openedAt, { ...identity, sessionId: check.sessionId, channel: 'a001' }), ...parts };
}
const registry = () =>
  new RedisSessionRegistry(world.redis, world.clock, { shards: world.node.config.redis.shards });

const knownViewers = () =>
  new RedisKnownViewers(world.redis, { shards: world.node.config.redis.shards, knownFor: 60_000 });
/** Whom a check names. */
const identityOf = async (parts: object) => {
  const read = readCheck({ ask: false, ...CHECK, ...parts }, world.node.config);
  const given = { node: world.node, registry: registry(), known: knownViewers() };
  const { check, identity } = (await walk(given, read, false)).context;
  return { ...identity, edge: check.edge, sessionId: check.sessionId, channel: check.channel };
};

describe('POST /explain', () => {
  it('of a one-shot token says that it is dead by design, points to why, and asks nobody', async () => {
    const answer = await explain({ ask: true });
    expect(answer).toMatchObject({
      allow: null,
      says: 'portal is asked, and its answer decides.',
      token: {
        reusable: false,
        says: expect.stringContaining('dead by design'),
        see: '/api/v1/why?address=192.0.2.7&channel=a001',
      },
      check: { edge: 'astra-1', dialect: 'astra', channel: 'a001', derived: true, query: 'token=***' },
    });
    expect(answer.rungs.map((one: Rung) => one.rung)).toEqual([
      'edge',
      'route',
      'hold',
      'cache',
      'session',
      'breaker',
      'backend',
      'if it cannot be asked',
    ]);
    expect(rung(answer, 'if it cannot be asked').says).toBe('The backend cannot be asked: let in on trust.');
    expect(portal.requests).toEqual([]);
  });

  it('asks about a reusable one, if it is told to, by an operator', async () => {
    expect(await explain({ channel: 'billed' })).toMatchObject({ allow: null });
    expect(portal.requests).toEqual([]);
    expect(await explain({ channel: 'billed', ask: true })).toMatchObject({
      allow: true,
      reason: 'backend-allowed',
      source: 'backend',
    });
    portal.deny(403);
    const denied = await explain({ channel: 'billed', ask: true });
    expect(denied).toMatchObject({
      allow: false,
      reason: 'backend-denied',
      whatToDo: expect.stringContaining('Ask the'),
    });
    expect(rung(denied, 'backend').because).toMatch(/^billing answered with 403 within \d+ ms\.$/);
    expect(await explain({ channel: 'grouped', ask: true })).toMatchObject({
      allow: false,
      reason: 'group-denied',
    });
    expect(await call({ ...CHECK, channel: 'billed', ask: true }, OBSERVER)).toMatchObject({ status: 403 });
    expect(await call({ ...CHECK, channel: 'billed' }, OBSERVER)).toMatchObject({ status: 200 });
  });

  it('says what stands in where the backend fails', async () => {
    portal.status(500);
    const answer = await explain({ channel: 'billed', ask: true });
    expect(answer).toMatchObject({ allow: false, source: 'fail-closed', reason: 'refused-unavailable' });
    expect(rung(answer, 'backend')).toMatchObject({ answers: null, says: 'billing gave no decision.' });
  });

  it('knows sessions that run, and those of others', async () => {
    const session = sessionOf();
    await registry().open(session);
    const known = await explain();
    expect(known).toMatchObject({
      allow: true,
      source: 'session',
      reason: 'session-known',
      check: { session: session.sessionId },
    });
    await world.server.cli('FLUSHALL');
    await registry().open({ ...session, fingerprint: 'other' });
    const answer = await explain({});
    expect(answer.allow).toBeNull();
    expect(rung(answer, 'session').says).toMatch(/Another viewer’s session/);
  });

  it('a session whose time is up is asked about, and would play on without an answer', async () => {
    const parts = { authorizedUntil: world.clock.now() - 1_000, backend: 'billing' };
    await registry().open(sessionOf({ ...parts, ...(await identityOf({ channel: 'billed' })) }));
    const answer = await explain({ channel: 'billed' });
    expect(rung(answer, 'session').says).toMatch(/allowed earlier/);
    expect(rung(answer, 'if it cannot be asked').says).toMatch(/this credential was allowed earlier/);
  });

  it('a session whose time is up, with a token that is good once, plays on, and nobody is asked', async () => {
    await registry().open(sessionOf({ authorizedUntil: world.clock.now() - 1_000 }));
    expect(await explain({ ask: true })).toMatchObject({
      allow: true,
      source: 'session',
      reason: 'session-extended',
    });
    expect(portal.requests).toEqual([]);
  });

  it('a session whose time is up, and whose user has a free pass, plays on, whatever its backend says now', async () => {
    const parts = { authorizedUntil: world.clock.now() - 1_000, backend: 'billing', namespace: 'billing' };
    await registry().open(
      sessionOf({ ...parts, ...(await identityOf({ channel: 'billed' })), user: 'anna' }),
    );
    portal.deny();
    const asked = () => explain({ channel: 'billed', ask: true });
    expect(await asked()).toMatchObject({ allow: false, source: 'backend' });
    await world.node.holds.set({
      kind: 'user',
      subject: 'billing/anna',
      effect: 'pass',
      origin: 'hand',
      by: 'anna',
      reason: 'paid',
      time: { lasts: 60_000 },
    });
    expect(await asked()).toMatchObject({ allow: true, source: 'hold', reason: 'held-passed' });
    await world.node.holds.lift('user', 'billing/anna', 'anna');
  });

  it('a session that was revoked is none, and to an edge that asks again it is refused', async () => {
    const session = sessionOf();
    await registry().open(session);
    await registry().revoke(session, 'kicked');
    const answer = await explain();
    expect(rung(answer, 'session')).toMatchObject({
      answers: null,
      says: 'This very session was revoked: it answers nothing, and the backend is asked anew.',
      because: expect.stringMatching(/^It was revoked at .*, and is being closed\./),
    });
    const again = { edge: 'flussonic-1' };
    const seen = sessionOf(await identityOf(again));
    await registry().open(seen);
    await registry().revoke(seen, 'kicked');
    expect(await explain(again)).toMatchObject({ allow: false, source: 'session', reason: 'held-refused' });
  });

  it('an edge of which nothing is configured asks again as one would whose settings are left out', () => {
    const { config } = world.node;
    const of = (dialect: 'astra' | 'flussonic') =>
      readCheck({ ask: false, edge: 'any', channel: 'a001', dialect }, { ...config, edges: {} });
    expect(of('flussonic').asksAgainWithin).toBe(180_000);
    expect(of('astra').asksAgainWithin).toBeUndefined();
  });

  it('a protection’s hold does not count for whoever plays, nor behind an address for a known viewer', async () => {
    const hold = (origin: 'protection' | 'hand') =>
      world.node.holds.set({
        kind: 'address',
        subject: '192.0.2.7',
        effect: 'refuse',
        origin,
        by: 'usher',
        reason: 'scans',
        time: { lasts: 60_000 },
      });
    await hold('protection');
    expect(await explain()).toMatchObject({ allow: false, source: 'hold' });
    await registry().open(sessionOf());
    const playing = await explain();
    expect(playing).toMatchObject({ allow: true, source: 'session' });
    expect(rung(playing, 'hold')).toMatchObject({
      answers: null,
      because: 'He plays already, and was let in by his backend.',
    });
    await world.server.cli('FLUSHALL');
    await hold('protection');
    const grant = { user: '7', sessionName: '7', authorizedUntil: 0 };
    await knownViewers().remember('portal', sessionOf().viewerKey, 'another', grant);
    expect(rung(await explain(), 'hold').because).toMatch(/allowed this viewer lately/);
    await hold('hand');
    expect(await explain()).toMatchObject({ allow: false, source: 'hold' });
    await world.node.holds.lift('address', '192.0.2.7', 'anna');
  });

  describe('a cap on devices', () => {
    const newcomer = (backend: string) => ({
      edge: 'flussonic-1',
      sessionId: 'another',
      channel: 'a001',
      namespace: backend,
      user: 'anna',
      viewerKey: 'q'.repeat(26),
      device: 'named' as const,
      habit: 'again' as const,
      asksAgainAfter: 180_000,
      cap: 1,
      isOpen: false,
    });
    /** Another box of hers watches. */
    const watches = async (backend: string): Promise<void> => {
      const { edge, sessionId, viewerKey } = newcomer(backend);
      await world.node.limits.limits.admit(newcomer(backend));
      const session = { edge, sessionId, viewerKey, namespace: backend, backend, user: 'anna' };
      await registry().open({ ...sessionOf(session), presence: 'seen', openedAt: world.clock.now() });
    };
    const slots = async () => world.server.cli('HGETALL', await world.server.cli('KEYS', 'usher:slots:*'));
    const capped = { edge: 'flussonic-1', channel: 'capped', query: 'token=s3cret&mac=00:1a', ask: true };

    it('is tried: the next device has room, or is refused, and takes no place', async () => {
      portal.allow({ 'X-UserId': 'anna' });
      const alone = await explain(capped);
      expect(alone).toMatchObject({ allow: true, source: 'backend' });
      expect(rung(alone, 'limit')).toMatchObject({
        says: 'There is room for his device.',
        because: '0 devices of anna count now, the cap is 1.',
      });
      expect(rung(alone, 'route').because).toContain('at most 1 device of one user at once');
      await watches('capped');
      const before = await slots();
      const over = await explain(capped);
      expect(over).toMatchObject({ allow: false, source: 'rule', reason: 'limit-reached' });
      expect(rung(over, 'limit').because).toBe('1 device of anna counts now, the cap is 1.');
      expect(await slots()).toEqual(before);
    });

    it('refuses nobody who was allowed earlier', async () => {
      portal.allow({ 'X-UserId': 'anna' });
      await watches('capped');
      const parts = { authorizedUntil: world.clock.now() - 1_000, backend: 'capped', namespace: 'capped' };
      await registry().open(sessionOf({ ...parts, ...(await identityOf(capped)), user: 'anna' }));
      const answer = await explain(capped);
      expect(answer).toMatchObject({ allow: true, source: 'backend' });
      expect(rung(answer, 'limit').says).toBe('He was allowed earlier: no cap refuses him.');
    });

    it('is foreseen where the backend is not asked, for a viewer whose user is known', async () => {
      const oneshot = { ...capped, channel: 'oneshot' };
      expect(rung(await explain(oneshot), 'limit').says).toBe(
        'There is a cap: at most 1 device of one user at once.',
      );
      const { viewerKey } = await identityOf(oneshot);
      const grant = { user: 'anna', sessionName: 'anna', authorizedUntil: 0 };
      await knownViewers().remember('oneshot', viewerKey, 'another', grant);
      await watches('oneshot');
      const answer = await explain(oneshot);
      expect(answer.allow).toBeNull();
      expect(rung(answer, 'limit, if oneshot allows')).toMatchObject({
        answers: null,
        because: '1 device of anna counts now, the cap is 1.',
      });
    });
  });

  it('knows known viewers', async () => {
    const { viewerKey } = sessionOf();
    const known = new RedisKnownViewers(world.redis, {
      shards: world.node.config.redis.shards,
      knownFor: 60_000,
    });
    await known.remember('portal', viewerKey, 'another', { user: '7', sessionName: '7', authorizedUntil: 0 });
    expect(rung(await explain(), 'if it cannot be asked')).toMatchObject({
      answers: null,
      because: 'The backend allowed this viewer, or one like him, lately.',
    });
  });

  it('names the hold that refuses, and the switch by which nobody is asked', async () => {
    await world.node.holds.set({
      kind: 'address',
      subject: '192.0.2.7',
      effect: 'refuse',
      origin: 'hand',
      by: 'anna',
      reason: 'shares',
      time: { lasts: 60_000 },
    });
    const held = await explain();
    expect(held).toMatchObject({ allow: false, source: 'hold', reason: 'held-refused' });
    expect(rung(held, 'hold').because).toMatch(/^A hold on the address, by anna, until .*: shares$/);
    await world.node.holds.lift('address', '192.0.2.7', 'anna');
    await world.node.switches.set({
      kind: 'backend',
      name: 'billing',
      mode: 'open',
      by: 'anna',
      reason: 'upgrade',
      time: { lasts: 60_000 },
    });
    const switched = await explain({ channel: 'billed', ask: true });
    expect(switched).toMatchObject({ allow: true, source: 'fail-open' });
    expect(rung(switched, 'switch').because).toContain('backend billing is switched by anna until');
    expect(portal.requests).toEqual([]);
    await world.node.switches.lift('backend', 'billing', 'anna');
  });

  it('knows what is public, what no route matches, and whom nobody knows', async () => {
    expect(await explain({ channel: 'promo' })).toMatchObject({
      allow: true,
      source: 'rule',
      reason: 'public',
    });
    const gap = await explain({ channel: 'zzz' });
    expect(gap).toMatchObject({ source: 'overload' });
    expect(rung(gap, 'route').says).toBe('No route matches.');
    const stranger = await explain({ edge: 'nobody' });
    expect(stranger).toMatchObject({ allow: false, reason: 'unknown-edge' });
    expect(rung(stranger, 'edge').because).toContain('astra-1, alta-1');
    expect(rung(await explain({ channel: 'watched' }), 'route').says).toContain('Mode observe');
  });

  it('a backend that is suspended is not asked, whatever is told', async () => {
    const epoch = [
      'epoch',
      '1',
      'downSince',
      '1000',
      'rateBefore',
      '1',
      'goodProbes',
      '0',
      'step',
      '0',
      'by',
      'x',
    ];
    await eventually(async () => {
      const now = String(Math.floor(world.clock.now()));
      await world.redis.call('HSET', [
        'usher:breaker:{billing}',
        'version',
        '1',
        'state',
        'suspended',
        'since',
        now,
        ...epoch,
      ]);
      const answer = await explain({ channel: 'billed', ask: true });
      expect(rung(answer, 'breaker').says).toBe('billing is suspended.');
      expect(answer).toMatchObject({ allow: false, source: 'fail-closed' });
    });
  });

  it('takes an address: the viewer’s, or the edge’s question', async () => {
    const played = (
      await call({
        url: 'http://live.example.com:8000/play/a001/index.m3u8?token=s3cret&x=1',
        edge: 'astra-1',
      })
    ).body;
    expect(played.check).toMatchObject({
      channel: 'a001',
      host: 'live.example.com',
      path: '/play/a001/index.m3u8',
      query: 'token=***&x=***',
    });
    expect(played.notes).toEqual([
      'The channel is guessed from the path: a001.',
      'No address was given: what goes by it cannot be seen.',
    ]);
    const asked = await call({
      url: 'http://usher:1064/e/astra-1/an-edges-secret/check?token=s3cret',
      channel: 'a001',
      address: '192.0.2.7',
    });
    expect(asked.body.check).toMatchObject({ edge: 'astra-1', channel: 'a001', query: 'token=***' });
    expect(asked.text).not.toContain('an-edges-secret');
    const alta = (await call({ url: 'http://tv.example.com/a7/hd/x.m3u8?token=1', edge: 'alta-1' })).body;
    expect(alta.check).toMatchObject({ dialect: 'alta', channel: 'a7' });
  });

  it.each([
    [{}, /a check needs url, query, channel or path/],
    [{ channel: 'a001' }, /edge: one of astra-1, alta-1/],
    [{ path: '/free/../vip/x.m3u8', edge: 'alta-1' }, /path: the path may be read in two ways/],
    [{ url: 'nonsense', edge: 'astra-1' }, /url: no address/],
    [{ channel: 'a001', edge: 'astra-1', dialect: 'morse' }, /dialect: one of astra, alta/],
    [{ channel: 'a001', edge: 'astra-1', token: 'x' }, /token: unknown; allowed: url, edge/],
  ])('says what is wrong with %j', async (body, says) => {
    expect(await call(body)).toMatchObject({ status: 422, body: { detail: expect.stringMatching(says) } });
  });

  it('changes nothing: neither in Redis nor for anybody', async () => {
    await registry().open(sessionOf());
    const dump = async (): Promise<string> => {
      const keys = (await world.server.cli('KEYS', 'usher:[aceksuw]*')).split('\n').sort();
      const texts = keys.filter((key) => !key.includes('{bus}') && !key.startsWith('usher:control'));
      return JSON.stringify([
        texts,
        await world.server.cli(
          'HGETALL',
          texts.find((key) => key.includes(':session:'))!,
        ),
      ]);
    };
    const before = await dump();
    for (const channel of ['a001', 'billed', 'promo', 'zzz']) await explain({ channel, ask: true });
    expect(await dump()).toBe(before);
    expect((await world.get('/audit')).entries).toEqual([]);
    const { shards } = world.node.config.redis;
    const why = new Why({
      clock: world.clock,
      log: world.node.log,
      redis: world.redis,
      shards,
      bounds: world.node.config.why,
      namespaceOf: (name) => name,
    });
    expect((await why.byAddress('192.0.2.7')).answers).toEqual([]);
    await why.close();
  });

  it('goes on without Redis', async () => {
    const lonely = await startApiWorld();
    await lonely.server.kill();
    await eventually(() => lonely.redis.away);
    const answer = await lonely.call('/explain', { method: 'POST', body: { channel: 'x', edge: 'any' } });
    expect(answer).toMatchObject({ status: 200, body: { allow: null } });
    expect(rung(answer.body, 'session').because).toMatch(/Redis is away/);
    await lonely.stop();
  });
});
