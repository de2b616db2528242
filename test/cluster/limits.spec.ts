import { eventually, startFakeAstra, startFakePortal } from '#usher/testing';
import type { FakeAstra, FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { eventsIn } from '../support/event-streams.js';
import type { UsherProcess } from '../support/usher-process.js';

/** A busy machine is not what these tests are about: everybody is asked about, and in time. */
const PATIENT = {
  redis: { timeout: '5s' },
  gateway: { deadline: '20s' },
};
const UNHURRIED = { timeout: '15s', maxCalls: 5_000 };

/** Whose three devices may watch at once; elsewhere one may. */
const WIDE = 'wide';

interface Viewer {
  readonly session: string;
  readonly device: string;
  readonly channel?: string;
}

/** One cluster, and in each test another user; what is done at the cap is a gateway's own setting. */
describe('a cap on devices', () => {
  let portal: FakePortal;
  let astra: FakeAstra;
  let home: FakeAstra;
  let cluster: UsherCluster;
  let evicting: UsherProcess;
  let observing: UsherProcess;
  let user = '';

  const limits = { mode: 'enforce' };

  beforeAll(async () => {
    portal = await startFakePortal();
    astra = await startFakeAstra({ auth: 'http://127.0.0.1:1/' });
    home = await startFakeAstra({
      get auth() {
        return `http://127.0.0.1:${cluster.gateway.port}/e/home/check`;
      },
    });
    const control = { url: astra.url };
    const listed = { control: { url: home.url }, listInterval: '1s', sessionTimeout: '1s' };
    const config = {
      ...PATIENT,
      limits,
      edges: { 'astra-1': { control }, 'astra-2': { control }, home: listed },
      backends: {
        portal: { type: 'http', url: `${portal.url}/check`, device: 'mac', maxDevices: 1, ...UNHURRIED },
      },
      routes: [{ match: { channel: `${WIDE}-*` }, backend: 'portal', maxDevices: 3 }, { backend: 'portal' }],
    };
    cluster = await startCluster(config, { all: 1, gateways: 2 });
    [evicting, observing] = await Promise.all([
      cluster.add('gateway', { limits: { ...limits, over: 'evict' } }),
      cluster.add('gateway', { limits: { mode: 'observe' } }),
    ]);
  });

  afterAll(async () => {
    await cluster?.stop();
    await Promise.all([astra?.stop(), home?.stop(), portal?.stop()]);
  });

  const userIs = (name: string): void => {
    user = name;
    portal.allow({ 'X-UserId': name });
  };

  const ask = async (
    gateway: UsherProcess,
    { session, device, channel = 'a001' }: Viewer,
    edge = 'astra-1',
  ): Promise<string> => {
    const { status, source } = await gateway.check({
      edge,
      channel,
      sessionId: `${user}-${session}`,
      ip: `192.0.2.${user.length}`,
      query: `mac=${device}&token=${user}-${session}`,
    });
    return `${status} ${source}`;
  };

  /** The user's sessions that the registry has and that are not revoked, by their ids. */
  const playing = async (): Promise<string[]> => {
    const keys = (await cluster.redis.cli('KEYS', `usher:session:*:${user}-*`)).split('\n').filter(Boolean);
    return keys.map((key) => key.split(`:${user}-`).at(-1)!).sort();
  };

  it('of 1,000 devices that open at once through three gateways lets in exactly as many as it says', async () => {
    userIs('anna');
    const [one, two, three] = cluster.gateways;
    const channel = `${WIDE}-1`;
    const said = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) =>
        ask(
          [one!, two!, three!][i % 3]!,
          { session: `s${i}`, device: `d${i}`, channel },
          `astra-${1 + (i % 2)}`,
        ),
      ),
    );
    const admitted = said.flatMap((answer, i) => (answer.startsWith('200') ? [`s${i}`] : []));
    expect(admitted).toHaveLength(3);
    expect(said.filter((answer) => answer === '403 rule')).toHaveLength(997);
    await eventually(async () => expect(await playing()).toEqual(admitted.sort()));
    // Each of the three goes on, on any gateway and another channel; nobody else gets in.
    const device = admitted[0]!.replace('s', 'd');
    expect(await ask(two!, { session: 'again', device, channel: `${WIDE}-2` }, 'astra-2')).toBe(
      '200 backend',
    );
    expect(await ask(three!, { session: 'one-more', device: 'new', channel })).toBe('403 rule');
  }, 120_000);

  it('that evicts ends and holds who came first, on every gateway', async () => {
    userIs('benno');
    expect(await ask(cluster.gateway, { session: 'one', device: 'phone' })).toBe('200 backend');
    await eventually(async () => expect(await playing()).toEqual(['one']));
    expect(await ask(evicting, { session: 'two', device: 'box' }, 'astra-2')).toBe('200 backend');
    await eventually(async () => {
      expect(await cluster.redis.cli('HKEYS', 'usher:{holds}')).toMatch(/^user-viewer:portal%2Fbenno%2F/m);
      for (const gateway of cluster.gateways) {
        expect(await ask(gateway, { session: 'back', device: 'phone' })).toBe('403 hold');
      }
    });
    expect(await ask(evicting, { session: 'two', device: 'box' }, 'astra-2')).toBe('200 cache');
    // The hold comes first: who is evicted is not let in again while he is being revoked. Once he was cut he has no record.
    await eventually(async () => {
      const revoked = (await eventsIn(cluster.redis)).filter(
        ({ type, session }) => type === 'session.revoked' && session === 'astra-1:benno-one',
      );
      expect(revoked.map(({ facts }) => facts['reason'])).toEqual(['evicted']);
    });
  }, 120_000);

  it('that is only observed refuses nobody, and says who would have been', async () => {
    userIs('clemens');
    expect(await ask(observing, { session: 'one', device: 'phone' })).toBe('200 backend');
    await eventually(async () => expect(await playing()).toEqual(['one']));
    expect(await ask(observing, { session: 'two', device: 'box' })).toBe('200 backend');
    await eventually(async () => {
      expect((await observing.health('/metrics')).body).toContain(
        'usher_limit_reached_total{mode="observe",result="refused"} 1',
      );
    });
    expect(observing.output()).toContain('another device would be refused');
  }, 120_000);

  it('of equal boxes behind one address cuts what was guessed wrong once both show that they live', async () => {
    userIs('dorothea');
    const first = await home.play({ channel: 'a001', query: 'token=1', ua: 'MAG' });
    const second = await home.play({ channel: 'b002', query: 'token=2', ua: 'MAG' });
    expect([first.allowed, second.allowed]).toEqual([true, true]);
    await eventually(
      async () =>
        expect(await cluster.redis.cli('HKEYS', 'usher:{holds}')).toContain(
          'user-viewer:portal%2Fdorothea%2F',
        ),
      { withinMs: 40_000 },
    );
    await eventually(() =>
      expect(cluster.control.output()).toContain('a session over the cap on devices was evicted'),
    );
    expect((await home.play({ channel: 'b002', query: 'token=3', ua: 'MAG' })).status).toBe(403);
  }, 120_000);

  it('refuses nobody while Redis is dead, and counts who watches when it came back empty', async () => {
    userIs('erika');
    const { gateway, redis } = cluster;
    expect(await ask(gateway, { session: 'one', device: 'phone' })).toBe('200 backend');
    expect(await ask(gateway, { session: 'two', device: 'box' })).toBe('403 rule');
    await redis.kill();
    await eventually(async () =>
      expect(await ask(gateway, { session: 'two', device: 'box' })).toMatch(/^200/),
    );
    await redis.restart({ empty: true });
    await cluster.whole();
    await eventually(
      async () => {
        const slots = (await redis.cli('KEYS', 'usher:slots:*erika')).split('\n').filter(Boolean);
        expect(slots).toHaveLength(1);
        expect(Number(await redis.cli('HLEN', slots[0]!))).toBe(3);
      },
      { withinMs: 30_000 },
    );
    // For a minute it only observes.
    expect(await ask(gateway, { session: 'three', device: 'laptop' })).toBe('200 backend');
  }, 180_000);
});
