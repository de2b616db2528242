import { eventually, startFakeAstra, startFakePortal } from '#usher/testing';
import type { FakeAstra, FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { startUsher, type UsherConfig, type UsherProcess } from '../support/usher-process.js';

/** A busy machine is not what these tests are about: everybody is asked about, and in time. */
const PATIENT = {
  redis: { timeout: '5s' },
  gateway: { deadline: '20s' },
};
const UNHURRIED = { timeout: '15s', maxCalls: 5_000 };

interface Viewer {
  readonly session: string;
  readonly device: string;
  readonly channel?: string;
}

describe('a cap on devices', () => {
  let portal: FakePortal;
  let astra: FakeAstra;
  let cluster: UsherCluster | undefined;

  beforeAll(async () => {
    portal = await startFakePortal();
    portal.allow({ 'X-UserId': 'anna' });
    astra = await startFakeAstra({ auth: 'http://127.0.0.1:1/' });
  });

  afterEach(async () => {
    await cluster?.stop();
    cluster = undefined;
  });

  afterAll(async () => {
    await astra?.stop();
    await portal?.stop();
  });

  const configOf = (limits: object, cap = 3): UsherConfig => ({
    ...PATIENT,
    limits: { mode: 'enforce', ...limits },
    edges: { 'astra-1': { control: { url: astra.url } }, 'astra-2': { control: { url: astra.url } } },
    backends: {
      portal: { type: 'http', url: `${portal.url}/check`, device: 'mac', maxDevices: cap, ...UNHURRIED },
    },
  });

  const ask = ({ session, device, channel = 'a001' }: Viewer, at: number): Promise<string> => {
    const gateways = cluster!.gateways;
    const edge = `astra-${1 + (at % 2)}`;
    const check = { edge, channel, sessionId: session, query: `mac=${device}&token=${session}` };
    return gateways[at % gateways.length]!.check(check).then(({ status, source }) => `${status} ${source}`);
  };

  /** Sessions that the registry has and that are not revoked, by their ids. */
  const playing = async (): Promise<string[]> => {
    const keys = (await cluster!.redis.cli('KEYS', 'usher:session:*')).split('\n').filter(Boolean);
    return keys.map((key) => key.split(':').at(-1)!).sort();
  };

  it('of 1,000 devices that open at once through three gateways lets in exactly as many as it says', async () => {
    cluster = await startCluster(configOf({}), { gateways: 3, workers: 1 });
    const said = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => ask({ session: `s${i}`, device: `d${i}` }, i)),
    );
    const admitted = said.flatMap((answer, i) => (answer.startsWith('200') ? [`s${i}`] : []));
    expect(admitted).toHaveLength(3);
    expect(said.filter((one) => one === '403 rule')).toHaveLength(997);
    await eventually(async () => expect(await playing()).toEqual(admitted.sort()));
    // Each of the three goes on, on any gateway and another channel; nobody else gets in.
    const device = admitted[0]!.replace('s', 'd');
    expect(await ask({ session: 'again', device, channel: 'b002' }, 1)).toBe('200 backend');
    expect(await ask({ session: 'one-more', device: 'new' }, 2)).toBe('403 rule');
  }, 120_000);

  it('that evicts ends and holds who came first, on every gateway', async () => {
    cluster = await startCluster(configOf({ over: 'evict' }, 1), { gateways: 2, workers: 1 });
    expect(await ask({ session: 'one', device: 'phone' }, 0)).toBe('200 backend');
    await eventually(async () => expect(await playing()).toEqual(['one']));
    expect(await ask({ session: 'two', device: 'box' }, 1)).toBe('200 backend');
    await eventually(async () => {
      expect(await cluster!.redis.cli('HKEYS', 'usher:{holds}')).toMatch(/^user-viewer:portal%2Fanna%2F/m);
      for (const at of [0, 1]) expect(await ask({ session: 'back', device: 'phone' }, at)).toBe('403 hold');
    });
    expect(await ask({ session: 'two', device: 'box' }, 1)).toBe('200 cache');
    const [evicted] = (await cluster.redis.cli('KEYS', 'usher:session:*:one')).split('\n');
    expect(await cluster.redis.cli('HMGET', evicted!, 'state', 'revokedFor')).toBe('revoked\nevicted');
  }, 120_000);

  it('that is only observed refuses nobody, and says who would have been', async () => {
    cluster = await startCluster(configOf({ mode: 'observe' }, 1), { gateways: 1, workers: 1 });
    expect(await ask({ session: 'one', device: 'phone' }, 0)).toBe('200 backend');
    await eventually(async () => expect(await playing()).toEqual(['one']));
    expect(await ask({ session: 'two', device: 'box' }, 0)).toBe('200 backend');
    await eventually(async () => {
      expect((await cluster!.gateway.health('/metrics')).body).toContain(
        'usher_limit_reached_total{mode="observe",result="refused"} 1',
      );
    });
    expect(cluster.output()).toContain('another device would be refused');
  }, 120_000);

  it('refuses nobody while Redis is dead, and counts who watches when it came back empty', async () => {
    cluster = await startCluster(
      { ...configOf({}, 1), redis: { timeout: '250ms' } },
      { gateways: 1, workers: 1 },
    );
    expect(await ask({ session: 'one', device: 'phone' }, 0)).toBe('200 backend');
    expect(await ask({ session: 'two', device: 'box' }, 0)).toBe('403 rule');
    await cluster.redis.kill();
    await eventually(async () => expect(await ask({ session: 'two', device: 'box' }, 0)).toMatch(/^200/));
    await cluster.redis.restart({ empty: true });
    await cluster.whole();
    await eventually(
      async () => {
        const slots = (await cluster!.redis.cli('KEYS', 'usher:slots:*')).split('\n').filter(Boolean);
        expect(slots).toHaveLength(1);
        expect(Number(await cluster!.redis.cli('HLEN', slots[0]!))).toBe(3);
      },
      { withinMs: 30_000 },
    );
    // For a minute it only observes.
    expect(await ask({ session: 'three', device: 'laptop' }, 0)).toBe('200 backend');
  }, 180_000);

  describe('of equal boxes behind one address', () => {
    let control: UsherProcess | undefined;

    afterEach(async () => {
      await control?.end('SIGKILL');
      control = undefined;
    });

    it('cuts what was guessed wrong once both show that they live', async () => {
      const { backends, edges, ...config } = configOf({}, 1) as Record<string, Record<string, object>>;
      const edge = { ...edges!['astra-1'], listInterval: '1s', sessionTimeout: '1s' };
      const guessed = {
        ...config,
        edges: { 'astra-1': edge },
        backends: { portal: { ...backends!['portal'] } },
      };
      cluster = await startCluster(guessed, { gateways: 1, workers: 1 });
      const auth = `http://127.0.0.1:${cluster.gateway.port}/e/astra-1/check`;
      const home = await startFakeAstra({ auth });
      try {
        const listed = { ...edge, control: { url: home.url } };
        control = await startUsher('control', {
          ...guessed,
          edges: { 'astra-1': listed },
          redis: { url: cluster.redis.url, timeout: '5s' },
        });
        const first = await home.play({ channel: 'a001', query: 'token=1', ua: 'MAG' });
        const second = await home.play({ channel: 'b002', query: 'token=2', ua: 'MAG' });
        expect([first.allowed, second.allowed]).toEqual([true, true]);
        await eventually(
          async () => expect(await cluster!.redis.cli('HKEYS', 'usher:{holds}')).toContain('user-viewer:'),
          { withinMs: 40_000 },
        );
        await eventually(() =>
          expect(control!.output()).toContain('a session over the cap on devices was evicted'),
        );
        expect((await home.play({ channel: 'b002', query: 'token=3', ua: 'MAG' })).status).toBe(403);
      } finally {
        await home.stop();
      }
    }, 120_000);
  });
});
