import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { schemaOf } from '../../apps/control/src/events/event-schemas.js';
import { startReceiver, type TestReceiver } from '../../apps/control/src/webhooks/for-tests.js';
import { startCluster, type UsherCluster } from '../support/cluster.js';

const SECRET = 'a secret of this test alone';
const SESSIONS = 60;

/** Controls are killed and Redis is restarted while sessions come and go, and one of two receivers is fails half of the time. */
describe('webhooks of a cluster', () => {
  let portal: FakePortal;
  let good: TestReceiver;
  let bad: TestReceiver;
  let cluster: UsherCluster;
  let count = 0;

  beforeAll(async () => {
    [portal, good, bad] = await Promise.all([startFakePortal(), startReceiver(), startReceiver()]);
    const config = {
      edges: { 'astra-1': {} },
      backends: { portal: { type: 'http', url: portal.url } },
      webhooks: [
        { name: 'good', url: good.url, secret: SECRET, events: ['*'] },
        { name: 'bad', url: bad.url, secret: SECRET, timeout: '500ms' },
      ],
    };
    // Of six deliveries three are taken; the others fail in different ways.
    bad.answer = (_, response) => {
      count += 1;
      if (count % 2 === 0) return 200;
      if (count % 6 === 1) return 503;
      if (count % 6 === 3) response.socket?.destroy();
    };
    portal.allow();
    const redis = { persist: true, args: ['--appendfsync', 'always'] };
    cluster = await startCluster(config, { all: 1, controls: 1, redis });
  });

  afterAll(async () => {
    await cluster?.stop();
    await Promise.all([portal?.stop(), good?.close(), bad?.close()]);
  });

  /** Each session begins, or is replaced by another viewer's under the same id. */
  const turn = async (token: string): Promise<void> => {
    for (let n = 0; n < SESSIONS; n += 1) {
      const reply = await cluster.gateway.check({
        sessionId: `s${n}`,
        query: `token=${token}${n}`,
        ip: `192.0.2.${n}`,
      });
      expect(reply.status).toBe(200);
    }
  };

  /** What is written in Redis of each session, by the number of its events. */
  const told = async (): Promise<number> => {
    const lengths = await Promise.all(
      Array.from({ length: 16 }, (_, shard) =>
        cluster.redis.cli('XLEN', `usher:events:{${String(shard).padStart(2, '0')}}`),
      ),
    );
    return lengths.reduce((sum, length) => sum + Number(length), 0);
  };

  /** The types of a session's events in the order in which they came, each event once. */
  const lifeOf = (receiver: TestReceiver, session: string): string[] => {
    const seen = new Map(
      receiver
        .taken()
        .filter((event) => event.session === session)
        .map(({ id, type }) => [id, type]),
    );
    const ids = [...seen.keys()];
    // Never an older one after a younger one.
    expect(ids).toEqual([...ids].sort());
    return [...seen.values()];
  };

  const allCame = (receiver: TestReceiver, life: readonly string[]): Promise<void> =>
    eventually(
      () => {
        for (let n = 0; n < SESSIONS; n += 1) expect(lifeOf(receiver, `s${n}`)).toEqual(life);
      },
      { withinMs: 170_000, everyMs: 100 },
    );

  const first = ['session.opened'];
  const second = [...first, 'session.closed', 'session.opened'];
  const third = [...second, 'session.closed', 'session.opened'];

  it('bring every event at least once and in order, though a control is killed in the middle', async () => {
    await turn('a');
    await eventually(() => good.received.length > 0 && bad.received.length > 0, { withinMs: 20_000 });
    await cluster.controls[1]!.end('SIGKILL');
    await turn('b');
    await eventually(async () => expect(await told()).toBeGreaterThanOrEqual(SESSIONS * 3));
    await allCame(good, second);
    await cluster.add('control');
  }, 120_000);

  it('do so through a restart of Redis', async () => {
    await cluster.redis.restart();
    await eventually(async () => expect(await cluster.gateway.problems()).not.toContain('Redis is away'), {
      withinMs: 20_000,
    });
    await turn('c');
    await allCame(good, third);
  }, 120_000);

  it('bring them to a receiver that fails half of the time too, in order', async () => {
    await allCame(bad, third);
  }, 180_000);

  it('tell which session an end belongs to', () => {
    for (let n = 0; n < SESSIONS; n += 1) {
      const events = new Map(
        good
          .taken()
          .filter(({ session }) => session === `s${n}`)
          .map((event) => [event.id, event]),
      );
      const [opened, closed, again, closedAgain] = [...events.values()];
      expect(opened!.opening).toBe(opened!.id);
      expect(closed).toMatchObject({ opening: opened!.id, facts: { reason: 'replaced' } });
      expect(closedAgain!.opening).toBe(again!.id);
    }
  });

  it('send what their schemas describe, and no secret', async () => {
    portal.status(403);
    expect((await cluster.gateway.check({ sessionId: 'denied', query: 'token=x' })).status).toBe(403);
    const types = (): string[] => good.taken().map(({ type }) => type);
    await eventually(() => expect(types()).toContain('check.denied'), { withinMs: 20_000 });
    for (const event of good.taken()) expect(() => schemaOf(event.type)!.parse(event)).not.toThrow();
    const sent = JSON.stringify(good.received.map(({ body }) => body));
    expect(sent).not.toMatch(/token=|fingerprint|viewerKey/);
  });
});
