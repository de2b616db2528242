import {
  eventually,
  FakeBox,
  portalBehaviours,
  startFakeAstra,
  startFakePortal,
  type FakeAstra,
  type FakePortal,
} from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { readOutages } from '../support/outages.js';
import { startUsher, type UsherProcess } from '../support/usher-process.js';

const { allow, deny } = portalBehaviours;
const patience = { withinMs: 60_000, everyMs: 100 };

/** Boxes at an Astra, whose tokens are good for one question: nobody can be asked about who plays. */
describe('after an outage with recycle', () => {
  let portal: FakePortal;
  let astra: FakeAstra;
  let cluster: UsherCluster;
  let control: UsherProcess;
  let outages: Awaited<ReturnType<typeof readOutages>>;

  beforeAll(async () => {
    portal = await startFakePortal();
    const options = { auth: 'http://127.0.0.1:1/', user: 'usher', password: 'open sesame' };
    astra = await startFakeAstra(options);
    const config = {
      gateway: { answerTtl: { allow: '1ms', deny: '1ms' } },
      edges: {
        'astra-1': {
          control: { url: astra.url, user: 'usher', password: 'open sesame' },
          listInterval: '1s',
        },
      },
      backends: {
        portal: {
          type: 'ministra',
          url: `${portal.url}/check`,
          timeout: '500ms',
          device: 'mac',
          afterOutage: 'recycle',
          recyclePace: 20,
          breaker: { consecutive: 3, window: '2s', openFor: '1s', rampStep: '100ms', probes: 1 },
        },
      },
    };
    cluster = await startCluster(config, { gateways: 1, workers: 1 });
    control = await startUsher('control', { ...config, redis: { url: cluster.redis.url, timeout: '250ms' } });
    options.auth = `http://127.0.0.1:${cluster.gateway.port}/e/astra-1/check`;
    outages = await readOutages(cluster.redis, 'portal');
  });

  afterAll(async () => {
    await outages?.close();
    await control?.end('SIGKILL');
    await cluster?.stop();
    await Promise.all([astra?.stop(), portal?.stop()]);
  });

  let count = 0;
  /** A box of its own address and device; each play has a new token, which begins with its name. */
  const aBox = (name: string): FakeBox =>
    new FakeBox({
      astra,
      channel: 'a001',
      ip: `192.0.2.${(count += 1)}`,
      ua: 'MAG254',
      query: (play) => `token=${name}-${play}&mac=${name}`,
      returnsAfter: 200,
    });

  it('cuts who is on trust, who come back and are asked about; who was known before plays on undisturbed', async () => {
    const anna = { 'X-UserId': 'anna' };
    portal.allow(anna);
    const known = aBox('known');
    expect((await known.switchOn()).allowed).toBe(true);
    portal.status(500);
    const [paid, thief] = [aBox('paid'), aBox('thief')];
    await eventually(async () => {
      expect((await aBox('stranger').switchOn()).allowed).toBe(true);
      expect(await cluster.gateway.problems()).toContain('backend portal is suspended');
    });
    await known.switchOff();
    expect((await known.switchOn()).allowed).toBe(true);
    for (const box of [paid, thief]) expect((await box.switchOn()).allowed).toBe(true);
    const before = { known: known.sessionId, paid: paid.sessionId };
    portal.byToken({ 'thief-2': deny() }, allow(anna));
    // Whoever asks is its probe.
    await eventually(async () => {
      expect((await aBox('stranger').switchOn()).allowed).toBe(true);
      expect(await cluster.gateway.problems()).toEqual([]);
    }, patience);
    const report = await eventually(async () => {
      const [found] = await outages.all();
      expect(found?.settledAt).toBeDefined();
      return found!;
    }, patience);
    expect(report.cutStopped).toBeUndefined();
    expect(report.results.known).toEqual({ 'not-checkable': 1 });
    expect(report.results.onTrust).toMatchObject({ refused: 1 });
    const { recycled = 0, 'came-back': back = 0 } = report.results.onTrust;
    expect(recycled).toBe(0);
    // The paying one, and the strangers.
    expect(back).toBeGreaterThanOrEqual(2);
    expect([paid.playing, paid.plays.length, paid.sessionId === before.paid]).toEqual([true, 2, false]);
    expect([known.playing, known.sessionId]).toEqual([true, before.known]);
    expect([thief.playing, thief.plays.length]).toEqual([false, 2]);
    // Nothing is left behind that would refuse him later.
    portal.allow(anna);
    expect((await thief.switchOn()).allowed).toBe(true);
    expect(await cluster.redis.cli('HLEN', 'usher:{holds}')).toBe('0');
  }, 120_000);
});
