import { eventually, portalBehaviours, startFakePortal, type FakePortal } from '#usher/testing';
import { startReceiver, type TestReceiver } from '../../apps/control/src/webhooks/for-tests.js';
import { answerGate } from '../support/answer-gate.js';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { told } from '../support/deadline.js';
import { eventsIn } from '../support/event-streams.js';
import { readOutages } from '../support/outages.js';
import { startUsher, type UsherConfig, type UsherProcess } from '../support/usher-process.js';

const { allow, deny, status } = portalBehaviours;
const SUSPENDED = 'backend portal is suspended';
/** Let in on trust in an outage; every fifth of them is refused afterwards. */
const FREE = Array.from({ length: 60 }, (_, n) => `free-${n}`);
/** Asked about again before their time is up; every tenth of them is refused then. */
const PAID = Array.from({ length: 40 }, (_, n) => `paid-${n}`);
const isThief = (token: string): boolean => Number(token.split('-')[1]) % 5 === 0;
const hasLeft = (token: string): boolean => Number(token.split('-')[1]) % 10 === 0;
/** Questions of one job that may be under way at once. */
const SIDE_BY_SIDE = 32;
/** A lease of a control that died is free after 15 s. */
const TAKEN_OVER = { withinMs: 60_000, everyMs: 100 };

/**
 * One control is killed while it asks about those of an outage, renews sessions, and delivers events; another one is started
 * after it.
 */
describe('a control that is killed in the middle of its work', () => {
  let portal: FakePortal;
  let billing: FakePortal;
  let receiver: TestReceiver;
  let cluster: UsherCluster;
  let control: UsherProcess;
  let outages: Awaited<ReturnType<typeof readOutages>>;
  let count = 0;
  const portalGate = answerGate();
  const billingGate = answerGate();

  const tokenOf = (url = ''): string => new URL(url, 'http://portal').searchParams.get('token') ?? '';
  const asked = (from: FakePortal, token: string): number =>
    from.requests.filter(({ url }) => tokenOf(url) === token).length;
  const check = async (token: string, channel = 'a001'): Promise<string> =>
    told(await cluster.gateway.check({ sessionId: token, channel, query: `token=${token}&mac=${token}` }));
  const stranger = (): Promise<string> => check(`stranger-${(count += 1)}`);
  const keyOf = (token: string): Promise<string> =>
    cluster.redis.cli('KEYS', `usher:session:*:astra-1:${token}`);
  const stateOf = async (token: string): Promise<string> =>
    cluster.redis.cli('HGET', await keyOf(token), 'state');

  beforeAll(async () => {
    [portal, billing, receiver] = await Promise.all([startFakePortal(), startFakePortal(), startReceiver()]);
    const shared = { type: 'http', device: 'mac', credential: 'reusable', timeout: '14s' };
    const config = {
      edges: { 'astra-1': {} },
      backends: {
        portal: {
          ...shared,
          url: `${portal.url}/check`,
          afterOutage: 'cut',
          breaker: { consecutive: 3, window: '2s', openFor: '1s', rampStep: '100ms', probes: 1 },
        },
        billing: { ...shared, url: `${billing.url}/check` },
      },
      routes: [{ match: { channel: 'b*' }, backend: 'billing' }, { backend: 'portal' }],
      // Whoever is refused is asked about every few seconds, and believed to be after ten times the grace.
      gateway: { deadline: '10s', grace: '2s' },
      webhooks: [
        {
          name: 'ear',
          url: receiver.url,
          secret: 'a secret of this test alone',
          events: ['*'],
          timeout: '30s',
        },
      ],
    } satisfies UsherConfig;
    cluster = await startCluster(config, { gateways: 1, workers: 1 });
    const settings = { ...config, redis: { url: cluster.redis.url, timeout: '250ms' } };
    control = await startUsher('control', settings);
    outages = await readOutages(cluster.redis, 'portal');
    await letInOnTrust();
    await untilAskedAbout();
    await untilRenewed();
    await control.end('SIGKILL');
    receiver.answer = () => 204;
    portalGate.open();
    billingGate.open();
    control = await startUsher('control', settings);
  }, 120_000);

  afterAll(async () => {
    await outages?.close();
    await control?.end('SIGKILL');
    await cluster?.stop();
    await Promise.all([portal?.stop(), billing?.stop(), receiver?.close()]);
  });

  const letInOnTrust = async (): Promise<void> => {
    portal.behave(status(500));
    await eventually(async () => {
      expect(await stranger()).toBe('200 fail-open');
      expect(await cluster.gateway.problems()).toContain(SUSPENDED);
    });
    for (const token of FREE) expect(await check(token)).toBe('200 fail-open');
    portal.requests.length = 0;
  };

  /** Some of them are answered, more are in the air, the rest waits. */
  const untilAskedAbout = async (): Promise<void> => {
    portal.byToken((request) => {
      const token = tokenOf(request.url);
      if (!FREE.includes(token)) return allow();
      return portalGate.behind(isThief(token) ? deny() : allow());
    });
    portalGate.shutAfter(25);
    await eventually(async () => expect(await stranger()).toBe('200 asked'), { withinMs: 20_000 });
    await eventually(() => portalGate.waiting >= 4, { withinMs: 30_000 });
  };

  const untilRenewed = async (): Promise<void> => {
    const isFirst = (token: string): boolean => asked(billing, token) === 1;
    billing.byToken((request) => {
      const token = tokenOf(request.url);
      if (isFirst(token)) return allow({ 'X-UserId': token, 'X-AuthDuration': '3' });
      return billingGate.behind(
        hasLeft(token) ? deny() : allow({ 'X-UserId': token, 'X-AuthDuration': '600' }),
      );
    });
    billingGate.shutAfter(10);
    // A delivery is under way, too, and is not answered.
    const before = receiver.received.length;
    receiver.answer = () => undefined;
    for (const token of PAID) expect(await check(token, 'b001')).toBe('200 asked');
    await eventually(() => billingGate.waiting >= 4 && receiver.received.length > before, {
      withinMs: 20_000,
    });
    expect(portalGate.waiting).toBeGreaterThanOrEqual(4);
  };

  it('had answers, questions in the air, and others that waited for their turn', () => {
    const askedAbout = FREE.filter((token) => asked(portal, token) > 0).length;
    expect(askedAbout).toBeGreaterThan(25);
    expect(askedAbout).toBeLessThan(FREE.length);
  });

  it('is followed by one that settles the outage: nobody is cut wrongly, or asked about again who was answered', async () => {
    const report = await eventually(async () => {
      const [found] = await outages.all();
      expect(found?.settledAt).toBeDefined();
      return found!;
    }, TAKEN_OVER);
    const { onTrust } = report.results;
    expect(Object.values(onTrust).reduce((sum, each) => sum + each, 0)).toBe(report.columns.onTrust.sessions);
    expect(Object.keys(onTrust).sort()).toEqual(['cut', 'kept']);
    expect(onTrust.cut).toBe(FREE.filter(isThief).length);
    expect(report.cutStopped).toBeUndefined();
    for (const token of FREE) {
      expect([token, await stateOf(token)]).toEqual([token, isThief(token) ? 'revoked' : 'active']);
    }
    const questions = FREE.map((token) => asked(portal, token));
    expect(Math.min(...questions)).toBe(1);
    expect(Math.max(...questions)).toBeLessThanOrEqual(2);
    expect(questions.filter((each) => each === 2).length).toBeLessThanOrEqual(SIDE_BY_SIDE);
    expect(await cluster.redis.cli('KEYS', 'usher:outage:*:checks')).toBe('');
  }, 180_000);

  it('is followed by one that renews what it had taken, and cuts only whom the backend refuses', async () => {
    await theMinutePasses();
    await eventually(async () => {
      for (const token of PAID) {
        const expected = hasLeft(token) ? ['revoked'] : ['active'];
        expect([token, await stateOf(token)]).toEqual([token, ...expected]);
        expect(asked(billing, token)).toBeGreaterThanOrEqual(2);
      }
    }, TAKEN_OVER);
    // The first check, the renewal, and for who was in the air one more. Who is refused is asked about until that is believed.
    const questions = PAID.filter((token) => !hasLeft(token)).map((token) => asked(billing, token) - 2);
    expect(Math.max(...questions)).toBeLessThanOrEqual(1);
    expect(questions.filter((each) => each === 1).length).toBeLessThanOrEqual(SIDE_BY_SIDE);
    expect(await dueSoon()).toEqual([]);
  }, 180_000);

  it('is followed by one that delivers all events, in order in each session', async () => {
    await eventually(async () => {
      const ids = new Set(receiver.taken().map(({ id }) => id));
      expect((await eventsIn(cluster.redis)).filter(({ id }) => !ids.has(id))).toEqual([]);
    }, TAKEN_OVER);
    for (const token of [...FREE, ...PAID]) {
      const ids = receiver.taken().flatMap(({ id, session }) => (session === token ? [id] : []));
      const first = [...new Set(ids)];
      expect([token, first]).toEqual([token, [...first].sort()]);
      expect(first.length).toBeGreaterThan(0);
    }
  }, 180_000);

  const shards = Array.from({ length: 16 }, (_, part) => String(part).padStart(2, '0'));

  /** Sessions that are to be asked about within the next minute and a half. */
  const dueSoon = async (): Promise<string[]> => {
    const soon = String(Date.now() + 90_000);
    const found = await Promise.all(
      shards.map((shard) => cluster.redis.cli('ZRANGEBYSCORE', `usher:due:{${shard}}`, '-inf', soon)),
    );
    return found.flatMap((text) => text.split('\n').filter(Boolean));
  };

  /** What a control has taken is due again a minute after it was taken: as if that had passed. */
  const theMinutePasses = async (): Promise<void> => {
    const due = await dueSoon();
    const all = await Promise.all(
      shards.map((shard) => cluster.redis.cli('ZRANGE', `usher:due:{${shard}}`, '0', '-1')),
    );
    for (const [part, members] of all.entries()) {
      for (const member of members.split('\n').filter((one) => due.includes(one)))
        await cluster.redis.cli('ZADD', `usher:due:{${shards[part]}}`, 'XX', String(Date.now()), member);
    }
  };
});
