import { eventually, portalBehaviours, startFakePortal, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';
import { ASKED } from '../support/deadline.js';
import { get, type AstraCheck, type CheckReply } from '../support/usher-process.js';

const { allow, deny } = portalBehaviours;

/** Failures here are no outage: breakers are the subject of other tests. */
const calm = { consecutive: 1000, minCalls: 1000 };

describe('routes', () => {
  let a: FakePortal;
  let b: FakePortal;
  let cluster: UsherCluster;
  let count = 0;

  /** A session, a viewer and a credential of its own each time, unless something is said of them. */
  const check = (given: AstraCheck): Promise<CheckReply> => {
    count += 1;
    const own = { sessionId: `s${count}`, query: `token=t${count}`, ip: `198.51.100.${count}` };
    return cluster.gateway.check({ ...own, ...given });
  };

  beforeAll(async () => {
    [a, b] = await Promise.all([startFakePortal(), startFakePortal()]);
    const backend = (portal: FakePortal, timeout = '600ms') => ({
      type: 'http',
      url: `${portal.url}/check`,
      timeout,
      breaker: calm,
    });
    const both = { backends: ['a', 'b'] };
    cluster = await startCluster(
      {
        edges: { 'astra-1': {}, 'astra-2': {} },
        backends: {
          a: backend(a),
          b: backend(b),
          'patient-a': backend(a, '20s'),
          watched: { ...backend(a, '1500ms'), maxCalls: 20 },
        },
        groups: {
          any: { ...both, policy: 'any' },
          race: { backends: ['patient-a', 'b'], policy: 'any' },
          'any-unavailable': { ...both, policy: 'any', partial: 'unavailable' },
          'any-deny': { ...both, policy: 'any', partial: 'deny' },
          first: { ...both, policy: 'first' },
          'first-next': { ...both, policy: 'first', onDeny: 'next' },
        },
        routes: [
          { match: { channel: 'promo-*' }, access: 'public' },
          { match: { path: '/free/' }, access: 'public' },
          { match: { channel: 'watched-*' }, backend: 'watched', mode: 'observe' },
          ...['any', 'race', 'any-unavailable', 'any-deny', 'first', 'first-next'].map((group) => ({
            match: { channel: `${group}:*` },
            group,
          })),
          { match: { channel: 'tv-*', query: { token: '^[0-9a-f]{32}$' } }, backend: 'b' },
          { match: { channel: 'tv-*', edge: 'astra-2' }, backend: 'b' },
          { match: { channel: 'tv-*', host: '*.b.example.com' }, backend: 'b' },
          { match: { channel: 'tv-*', path: '/b/' }, backend: 'b' },
          { match: { channel: 'tv-*' }, backend: 'a' },
        ],
      },
      ALL_IN_ONE,
    );
  });

  beforeEach(() => {
    for (const portal of [a, b]) {
      portal.allow();
      portal.requests.length = 0;
    }
  });

  afterAll(async () => {
    await cluster?.stop();
    await Promise.all([a?.stop(), b?.stop()]);
  });

  const asked = () => ({ a: a.requests.length, b: b.requests.length });

  it.each<[string, AstraCheck, 'a' | 'b']>([
    ['the shape of a query parameter', { query: `token=${'0f'.repeat(16)}` }, 'b'],
    ['another shape of it', { query: `token=${'0g'.repeat(16)}` }, 'a'],
    ['the edge', { edge: 'astra-2' }, 'b'],
    ['the viewer’s host', { host: 'live.b.example.com' }, 'b'],
    ['the path', { path: '/b/one.m3u8' }, 'b'],
    ['nothing but the channel', {}, 'a'],
  ])('choose the backend by %s', async (_, given, chosen) => {
    expect(await check({ channel: 'tv-1', ...given })).toMatchObject({ status: 200, source: ASKED });
    expect(asked()).toEqual({ a: 0, b: 0, [chosen]: 1 });
  });

  it('let everybody play what is public, though every backend denies, and ask nobody', async () => {
    for (const portal of [a, b]) portal.deny();
    for (const given of [{ channel: 'promo-1' }, { channel: 'x', path: '/free/1.m3u8' }]) {
      expect(await check(given)).toMatchObject({ status: 200, source: 'rule' });
    }
    expect(asked()).toEqual({ a: 0, b: 0 });
  });

  it('never take the viewer’s own words for the channel or path that is public', async () => {
    a.deny();
    const query = 'token=x&name=promo-1&channel=promo-1&path=/free/';
    expect(await check({ channel: 'tv-1', query, host: 'promo-1' })).toMatchObject({ status: 403 });
  });

  it('answer a check that none of them matches by the overload policy: it is our own gap', async () => {
    const reply = await check({ channel: 'nowhere' });
    expect(reply).toMatchObject({ status: 200, source: 'overload' });
    const byHand = await get(cluster.gateway.port, '/e/astra-1/check');
    expect(byHand.body).toContain('reason: no-route');
  });

  describe('to a group “any”', () => {
    it('allow with the first allow, and cancel the others', async () => {
      a.hang();
      b.allow({ 'X-Session-Name': 'bea' });
      const reply = await check({ channel: 'race:1' });
      expect(reply).toMatchObject({ status: 200, source: ASKED });
      expect(reply.headers['x-session-name']).toBe('bea');
      // Long before its own timeout.
      await eventually(() => expect(a.inFlight).toBe(0));
    });

    it('deny if every member denies', async () => {
      a.deny();
      b.deny(401);
      expect(await check({ channel: 'any:1' })).toMatchObject({ status: 403, source: ASKED });
      expect(asked()).toEqual({ a: 1, b: 1 });
    });

    it('let a known viewer of the member that cannot be asked play on; others get the denial', async () => {
      a.deny();
      b.allow();
      expect(await check({ channel: 'any:1', ip: '203.0.113.1' })).toMatchObject({ status: 200 });
      b.hang();
      expect(await check({ channel: 'any:2', ip: '203.0.113.1' })).toMatchObject({
        status: 200,
        source: 'known',
      });
      expect(await check({ channel: 'any:2', ip: '203.0.113.2' })).toMatchObject({
        status: 403,
        source: ASKED,
      });
    });

    it('are in doubt about it with `partial: unavailable`, and deny with `partial: deny`', async () => {
      a.deny();
      b.hang();
      expect(await check({ channel: 'any-unavailable:1' })).toMatchObject({
        status: 200,
        source: 'fail-open',
      });
      expect(await check({ channel: 'any-deny:1' })).toMatchObject({ status: 403, source: ASKED });
    });
  });

  describe('to a group “first”', () => {
    it('ask the next member only when the one before cannot answer', async () => {
      expect(await check({ channel: 'first:1' })).toMatchObject({ status: 200, source: ASKED });
      expect(asked()).toEqual({ a: 1, b: 0 });
      a.status(500);
      expect(await check({ channel: 'first:1' })).toMatchObject({ status: 200, source: ASKED });
      expect(asked()).toEqual({ a: 2, b: 1 });
    });

    it('stop at a denial, or go on with `onDeny: next`', async () => {
      a.deny();
      expect(await check({ channel: 'first:1' })).toMatchObject({ status: 403, source: ASKED });
      expect(asked()).toEqual({ a: 1, b: 0 });
      expect(await check({ channel: 'first-next:1' })).toMatchObject({ status: 200, source: ASKED });
      expect(asked()).toEqual({ a: 2, b: 1 });
    });
  });

  describe('in mode observe', () => {
    const watch = (given: AstraCheck = {}) => check({ channel: 'watched-1', ...given });

    it.each([200, 401, 403, 404, 429, 500, 502, 503])('pass the backend’s %d on unchanged', async (code) => {
      a.status(code);
      expect(await watch()).toMatchObject({ status: code, source: ASKED });
    });

    it('pass its address to show instead on', async () => {
      a.deny(302, { Location: 'http://promo.example.com/1' });
      const moved = await watch();
      expect(moved).toMatchObject({ status: 302 });
      expect(moved.headers['location']).toBe('http://promo.example.com/1');
    });

    it.each<[string, () => unknown]>([
      ['that does not answer', () => a.hang()],
      ['that resets the connection', () => a.reset()],
      ['that answers no HTTP', () => a.garbage('bytes')],
    ])('leave the edge unanswered by a backend %s', async (_, break_) => {
      break_();
      await expect(watch()).rejects.toMatchObject({ code: 'ECONNRESET' });
    });

    it('keep nobody back after the backend asked for fewer questions', async () => {
      a.status(429);
      for (let at = 0; at < 3; at += 1) expect(await watch()).toMatchObject({ status: 429 });
      a.allow();
      const replies = await Promise.all(Array.from({ length: 20 }, () => watch()));
      expect(replies.map(({ status }) => status)).toEqual(Array(20).fill(200));
    });

    it('wait for no place at a worker: a crowd is asked about at once', async () => {
      a.slow(1_000);
      const replies = await Promise.all(Array.from({ length: 30 }, () => watch()));
      expect(replies.map(({ status }) => status)).toEqual(Array(30).fill(200));
    });

    it('ask each time: nothing is kept, nothing is shared', async () => {
      const same = { sessionId: 'same', query: 'token=same', ip: '203.0.113.9' };
      a.behave(portalBehaviours.slow(50, allow()));
      await Promise.all([watch(same), watch(same)]);
      await watch(same);
      expect(asked().a).toBe(3);
      a.behave(deny());
      expect(await watch(same)).toMatchObject({ status: 403, source: ASKED });
    });
  });
});
