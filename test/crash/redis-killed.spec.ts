import {
  eventually,
  portalBehaviours,
  startFakeAstra,
  startFakePortal,
  type FakeAstra,
  type FakePortal,
} from '#usher/testing';
import { startReceiver, type TestReceiver } from '../../apps/control/src/webhooks/for-tests.js';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { controlApi, type ControlApi } from '../support/control-api.js';
import { inTime, told } from '../support/deadline.js';
import { eventsIn } from '../support/event-streams.js';
import { readOutages } from '../support/outages.js';
import { thingsIn } from '../support/things-in-redis.js';
import {
  startUsher,
  type AstraCheck,
  type UsherConfig,
  type UsherProcess,
} from '../support/usher-process.js';

const { allow } = portalBehaviours;
const BACK = { withinMs: 60_000, everyMs: 100 };

interface Viewer extends AstraCheck {
  readonly sessionId: string;
  /** Through which gateway he came. */
  readonly at: 0 | 1;
}

/** `anna-2` is a device of anna's. */
const viewer = (name: string, at: 0 | 1, channel: string, ip = '192.0.2.7'): Viewer => ({
  sessionId: name,
  query: `token=${name}&mac=${name}`,
  channel,
  ip,
  at,
});
const some = (count: number, name: string, channel: string): Viewer[] =>
  Array.from({ length: count }, (_, n) => viewer(`${name}${n}-1`, n % 2 === 0 ? 0 : 1, channel));

const PAID = some(6, 'paid', 'a001');
/** As many devices as she may have. */
const ANNA = [viewer('anna-1', 0, 'a001'), viewer('anna-2', 1, 'a001')];
const RENEWED = some(4, 'renewed', 'b001');
const ON_TRUST = some(5, 'free', 'gone');
const PLAYING = [...PAID, ...ANNA, ...RENEWED, ...ON_TRUST];
const HELD = viewer('held-1', 0, 'a001', '198.51.100.9');
/** His backend is switched off by an operator. */
const SHUT = viewer('shut-1', 0, 'shop');

/** In order: Redis is killed and finds its data again; then it is killed and comes back empty. */
describe('a cluster whose Redis is killed', () => {
  let portal: FakePortal;
  let gone: FakePortal;
  let astra: FakeAstra;
  let receiver: TestReceiver;
  let cluster: UsherCluster;
  let control: UsherProcess;
  let api: ControlApi;
  let outages: Awaited<ReturnType<typeof readOutages>>;
  let count = 0;

  const check = (who: AstraCheck, gateway: number) => cluster.gateways[gateway]!.check(who);
  const said = async (who: AstraCheck, gateway: number): Promise<string> => told(await check(who, gateway));

  beforeAll(async () => {
    [portal, gone, astra, receiver] = await Promise.all([
      startFakePortal(),
      startFakePortal(),
      startFakeAstra({ auth: 'http://127.0.0.1:1/' }),
      startReceiver(() => 503),
    ]);
    portal.byToken((request) => {
      const token = new URL(request.url ?? '/', 'http://portal').searchParams.get('token') ?? '';
      const user = { 'X-UserId': token.split('-')[0]! };
      return allow(token.startsWith('renewed') ? { ...user, 'X-AuthDuration': '900' } : user);
    });
    gone.status(500);
    const shared = { type: 'http', url: `${portal.url}/check`, device: 'mac', failMode: 'closed' };
    const config = {
      edges: { 'astra-1': { control: { url: astra.url }, listInterval: '10m' } },
      limits: { mode: 'enforce' },
      backends: {
        portal: { ...shared, maxDevices: 2 },
        billing: { ...shared, credential: 'reusable' },
        shop: shared,
        gone: {
          type: 'http',
          url: `${gone.url}/check`,
          device: 'mac',
          breaker: { consecutive: 3, window: '2s', openFor: '1s', rampStep: '100ms', probes: 1 },
        },
      },
      routes: [
        { match: { channel: 'b*' }, backend: 'billing' },
        { match: { channel: 'shop' }, backend: 'shop' },
        { match: { channel: 'gone' }, backend: 'gone' },
        { backend: 'portal' },
      ],
      webhooks: [
        { name: 'ear', url: receiver.url, secret: 'a secret of this test alone', events: ['session.*'] },
      ],
    } satisfies UsherConfig;
    const redis = { persist: true, args: ['--appendfsync', 'everysec'] };
    cluster = await startCluster(config, { gateways: 2, workers: 1, redis });
    control = await startUsher('control', { ...config, redis: { url: cluster.redis.url, timeout: '250ms' } });
    api = await controlApi(control);
    outages = await readOutages(cluster.redis, 'gone');
    const hold = { kind: 'address', subject: HELD.ip, for: '6h', reason: 'scans' };
    const shut = { kind: 'backend', name: 'shop', mode: 'closed', for: '6h', reason: 'new disks' };
    expect((await api('POST', '/holds', hold)).status).toBe(200);
    expect((await api('POST', '/switches', shut)).status).toBe(200);
    for (const who of [...PAID, ...ANNA, ...RENEWED]) expect(await said(who, who.at)).toBe('200 asked');
    await eventually(async () => {
      for (const gateway of [0, 1]) {
        await check(viewer(`first${(count += 1)}-1`, 0, 'gone'), gateway);
        expect(await cluster.gateways[gateway]!.problems()).toContain('backend gone is suspended');
      }
    });
    for (const who of ON_TRUST) expect(await said(who, who.at)).toBe('200 fail-open');
    await eventually(async () => {
      const things = await thingsIn(cluster.redis);
      for (const { sessionId } of PLAYING) expect(has(things, `:astra-1:${sessionId} state=`)).toBe(true);
      for (const { sessionId } of RENEWED) {
        expect(has(things, `usher:sealed:`, sessionId)).toBe(true);
        expect(has(things, `usher:due:`, sessionId)).toBe(true);
      }
      for (const { sessionId } of ON_TRUST) expect(has(things, ':lines t|', sessionId)).toBe(true);
      for (const { sessionId } of ANNA) expect(has(things, 'usher:slots:', sessionId)).toBe(true);
      expect(things.filter((thing) => thing.startsWith('usher:outbox:')).length).toBeGreaterThan(
        PLAYING.length,
      );
    });
    await sameAsEver();
  }, 120_000);

  afterAll(async () => {
    await outages?.close();
    await control?.end('SIGKILL');
    await cluster?.stop();
    await Promise.all([portal?.stop(), gone?.stop(), astra?.stop(), receiver?.close()]);
  });

  const has = (things: readonly string[], ...parts: readonly string[]): boolean =>
    things.some((thing) => parts.every((part) => thing.includes(part)));

  /** What was so before is so now. */
  const sameAsEver = async (): Promise<void> => {
    for (const gateway of [0, 1]) {
      expect((await check(HELD, gateway)).status).toBe(403);
      expect((await check(SHUT, gateway)).status).toBe(403);
      for (const who of PLAYING)
        expect([who.sessionId, (await check(who, gateway)).status]).toEqual([who.sessionId, 200]);
    }
  };

  /** Players and newcomers ask all the time, through both gateways; what they were told while `meanwhile` went on. */
  const askedMeanwhile = async (meanwhile: () => Promise<void>): Promise<Map<string, Set<number>>> => {
    const answers = new Map<string, Set<number>>();
    const note = async (what: string, who: AstraCheck, gateway: number): Promise<void> => {
      const reply = await check(who, gateway);
      inTime(reply);
      const statuses = answers.get(what) ?? new Set();
      answers.set(what, statuses.add(reply.status));
    };
    let isOver = false;
    const asking = (async () => {
      while (!isOver) {
        for (const gateway of [0, 1]) {
          for (const who of PLAYING) await note('playing', who, gateway);
          await note('new', viewer(`new${(count += 1)}-1`, 0, 'a001'), gateway);
          await note('held', HELD, gateway);
          await note('shut', SHUT, gateway);
        }
      }
    })();
    try {
      await meanwhile();
    } finally {
      isOver = true;
      await asking;
    }
    return answers;
  };
  const AS_EVER = new Map(
    Object.entries({
      playing: new Set([200]),
      new: new Set([200]),
      held: new Set([403]),
      shut: new Set([403]),
    }),
  );

  const isNoticed = (): Promise<void> =>
    eventually(async () => {
      for (const process of [...cluster.gateways, control])
        expect(await process.problems()).toContain('Redis is away');
    });
  const isWhole = (): Promise<void> =>
    eventually(async () => {
      for (const process of [...cluster.gateways, ...cluster.workers, control])
        expect(await process.problems()).not.toContain('Redis is away');
    }, BACK);
  /** All that was written is in the append-only file. */
  const isOnDisk = (): Promise<void> =>
    eventually(async () => {
      const info = await cluster.redis.cli('INFO', 'persistence');
      expect(info).toMatch(/aof_buffer_length:0\b/);
      expect(info).toMatch(/aof_pending_bio_fsync:0\b/);
    });
  /** A control asks about them again: their time has come. */
  const renewAll = async (): Promise<void> => {
    const renewals = (): number => portal.requests.filter(({ url }) => url.includes('token=renewed')).length;
    const before = renewals();
    for (const { sessionId } of RENEWED) {
      const thing = (await thingsIn(cluster.redis)).find(
        (one) => one === `${one.split(' ')[0]} astra-1:${sessionId}` && one.startsWith('usher:due:'),
      );
      await cluster.redis.cli(
        'ZADD',
        thing!.split(' ')[0]!,
        'XX',
        String(Date.now()),
        `astra-1:${sessionId}`,
      );
    }
    await eventually(() => expect(renewals()).toBe(before + RENEWED.length), BACK);
  };

  it('and finds its data again has lost nothing, and nobody noticed', async () => {
    await isOnDisk();
    const before = await thingsIn(cluster.redis);
    const [ledger] = await outages.all();
    const answers = await askedMeanwhile(async () => {
      await cluster.redis.kill();
      await isNoticed();
      await cluster.redis.restart();
      await isWhole();
    });
    expect(answers).toEqual(AS_EVER);
    const after = new Set(await thingsIn(cluster.redis));
    expect(before.filter((thing) => !after.has(thing))).toEqual([]);
    await sameAsEver();
    expect(await outages.all()).toMatchObject([
      {
        id: ledger!.id,
        columns: { onTrust: { sessions: ledger!.columns.onTrust.sessions } },
        incomplete: [],
      },
    ]);
    const opened = (await eventsIn(cluster.redis)).filter(({ type }) => type === 'session.opened');
    for (const { sessionId } of PLAYING)
      expect(opened.filter(({ session }) => session === `astra-1:${sessionId}`)).toHaveLength(1);
    // A cap counts at once: nothing was lost by which it goes.
    for (const gateway of [0, 1])
      expect((await check(viewer('anna-3', 0, 'a001'), gateway)).status).toBe(403);
  }, 180_000);

  it('has control go on: with what is due, and with the events that waited', async () => {
    await renewAll();
    receiver.answer = () => 204;
    await eventually(async () => {
      const ids = new Set(receiver.taken().map(({ id }) => id));
      const written = (await eventsIn(cluster.redis)).filter(({ type }) => type.startsWith('session.'));
      expect(written.length).toBeGreaterThan(PLAYING.length);
      expect(written.filter(({ id }) => !ids.has(id))).toEqual([]);
    }, BACK);
  }, 180_000);

  it('and comes back empty is given back what gateways and others remember, and nobody noticed', async () => {
    const before = await thingsIn(cluster.redis);
    const [ledger] = await outages.all();
    const answers = await askedMeanwhile(async () => {
      await cluster.redis.kill();
      await isNoticed();
      await cluster.redis.restart({ empty: true });
      await isWhole();
      await eventually(async () => {
        const after = new Set((await thingsIn(cluster.redis)).map(withoutTail));
        expect(remembered(before).filter((thing) => !after.has(thing))).toEqual([]);
      }, BACK);
    });
    expect(answers).toEqual(AS_EVER);
    await sameAsEver();
    // Each gateway writes its own part again, also of viewers who are gone.
    await eventually(async () => {
      const [again, ...others] = await outages.all();
      expect(others).toEqual([]);
      expect(again!.end).toBeUndefined();
      expect(again!.columns.onTrust.sessions).toBe(ledger!.columns.onTrust.sessions);
    }, BACK);
  }, 120_000);

  /** What somebody who lives has in his memory. */
  const remembered = (things: readonly string[]): string[] =>
    things
      .filter(
        (thing) =>
          PLAYING.some(({ sessionId }) => thing.includes(sessionId)) || /\{(holds|switches)\} /.test(thing),
      )
      .filter((thing) => !thing.startsWith('usher:outbox:'))
      .map(withoutTail);

  /** An outage that is written again may begin a moment sooner or later. */
  const withoutTail = (thing: string): string => thing.replace(/^(usher:outage:\{gone\}):\d+/, '$1');

  it('only observes limits for a minute after that', async () => {
    expect(await said(viewer('anna-4', 0, 'a001'), 0)).toBe('200 asked');
  });

  it('has control begin anew: with what is due, new events, kicks, and the outage that goes on', async () => {
    await renewAll();
    const fresh = viewer(`fresh-1`, 1, 'a001');
    expect(await said(fresh, 1)).toBe('200 asked');
    await eventually(
      () => receiver.taken().some(({ session, type }) => session === 'fresh-1' && type === 'session.opened'),
      BACK,
    );
    const kick = { session: { edge: 'astra-1', id: 'fresh-1' }, reason: 'a test' };
    expect((await api('POST', '/kicks', kick)).status).toBe(200);
    await eventually(
      () => receiver.taken().some(({ session, type }) => session === 'fresh-1' && type === 'session.closed'),
      BACK,
    );
    gone.allow();
    await eventually(async () => {
      await check(viewer(`last${(count += 1)}-1`, 0, 'gone'), count % 2);
      expect((await outages.all())[0]!.settledAt).toBeDefined();
    }, BACK);
    const [{ results, columns }] = (await outages.all()) as [Awaited<ReturnType<typeof outages.all>>[0]];
    expect(Object.values(results.onTrust).reduce((sum, each) => sum + each, 0)).toBe(
      columns.onTrust.sessions,
    );
  }, 120_000);
});
