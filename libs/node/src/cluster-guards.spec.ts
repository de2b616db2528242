import type { GuardReport, Suspicion } from '#usher/backends';
import type { Node as Member } from '#usher/bus';
import { configSchema } from '#usher/config';
import { silentLog } from '#usher/domain';
import { ClusterClock, connectRedis, createSealer } from '#usher/redis';
import { eventually, startFakePortal, startRedis, type FakePortal, type RedisProcess } from '#usher/testing';
import { clusterGuards } from './cluster-guards.js';
import { askPortal } from './for-tests.js';
import type { Role } from './peers.js';
import { startNode, type ClusterNode } from './start-node.js';

const none = { answers: 0, hits: 0, usualAnswers: 0, usualHits: 0 };
const counts = { answers: 30, hits: 30, usualAnswers: 100.5, usualHits: 1 };

describe('what the guards of other processes tell', () => {
  const member = (id: string, guards: unknown): Member =>
    ({ id, at: 0, role: 'worker', host: 'host', version: '1', info: { guards } }) as Member;
  const ofOthers = (members: readonly Member[], alone = false): GuardReport | undefined =>
    clusterGuards({ nodes: () => members, alone, self: 'self', provide: () => undefined }).ofOthers('portal');
  const suspicion = { kind: 'known-denied', percent: 100, usualPercent: 1, answers: 60, since: 5 } as const;

  it('is summed, without what this process tells itself, and with the suspicion that began first', () => {
    const told = { known: counts, all: { ...counts, answers: 40 } };
    const found = ofOthers([
      member('self', { portal: told }),
      member('a', { portal: told, other: told }),
      member('b', { portal: { ...told, suspicion: { ...suspicion, since: 9 } } }),
      member('c', { portal: { ...told, suspicion } }),
    ]);
    expect(found).toEqual({
      known: { answers: 90, hits: 90, usualAnswers: 301.5, usualHits: 3 },
      all: { answers: 120, hits: 90, usualAnswers: 301.5, usualHits: 3 },
      suspicion,
    });
  });

  it('is read past what another version sends', () => {
    const bad = { ...counts, hits: 'many' };
    const unknown = { known: none, all: none, suspicion: { ...suspicion, kind: 'a new one' } };
    const strange = [undefined, null, 7, [], { portal: null }, { portal: { known: bad, all: counts } }];
    expect(ofOthers(strange.map((guards, at) => member(`p${at}`, guards)))).toBeUndefined();
    expect(ofOthers([member('a', { portal: unknown })])).toEqual({ known: none, all: none });
  });

  it('is nothing while Redis is away', () => {
    expect(ofOthers([member('a', { portal: { known: counts, all: counts } })], true)).toBeUndefined();
  });
});

describe('a backend of which each of several processes sees little', () => {
  let server: RedisProcess;
  let portal: FakePortal;
  const closing: (() => unknown)[] = [];

  beforeAll(async () => {
    [server, portal] = await Promise.all([startRedis(), startFakePortal()]);
  });
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
    await Promise.all([portal.down(), server.stop()]);
  });

  async function aNode(id: string, role: Role): Promise<ClusterNode> {
    const redis = connectRedis({ url: server.url, timeout: 5_000 });
    await redis.ready();
    const clock = new ClusterClock(redis);
    await clock.start();
    const config = configSchema.parse({
      redis: { url: server.url },
      backends: { portal: { type: 'http', url: portal.url, timeout: '5s' } },
    });
    const self = { id, host: id, version: '1.2.3', roles: [role] };
    const sealer = createSealer(['a secret of sixteen characters']);
    const node = await startNode({
      ...self,
      config,
      log: silentLog,
      random: Math.random,
      redis,
      clock,
      sealer,
    });
    closing.push(async () => {
      await node.close();
      clock.stop();
      await redis.close();
    });
    return node;
  }

  let fresh = 0;
  /** Known viewers, each with a new token. */
  async function ask(node: ClusterNode, times: number): Promise<void> {
    for (let n = 0; n < times; n += 1) {
      fresh += 1;
      const answer = await askPortal(node, `s${fresh}`, { known: true, within: 10_000 });
      expect(['allow', 'deny']).toContain(answer.kind);
    }
  }
  const suspicionOf = (node: ClusterNode): Suspicion | undefined =>
    node.gates.gates.get('portal')!.status().suspicion;
  /** All that other processes count of known viewers, as this one has heard. */
  const heard = (node: ClusterNode): number =>
    node.membership
      .nodes()
      .filter(({ id }) => id !== node.id)
      .map(({ info }) => (info['guards'] as Record<string, GuardReport> | undefined)?.['portal'])
      .reduce((sum, report) => sum + (report?.known.answers ?? 0), 0);
  async function toldOf(type: string): Promise<number> {
    const keys = Array.from({ length: 16 }, (_, n) => `usher:events:{${String(n).padStart(2, '0')}}`);
    const streams = await Promise.all(keys.map((key) => server.cli('XRANGE', key, '-', '+')));
    return streams.join('\n').split(type).length - 1;
  }

  it('is suspicious to all of them, control too, by what they were answered together, and trusted again', async () => {
    const [one, two] = [await aNode('worker-1', 'worker'), await aNode('worker-2', 'worker')];
    const control = await aNode('control-1', 'control');
    portal.deny();
    await ask(one, 30);
    await eventually(() => expect(heard(two)).toBe(30));
    await ask(two, 19);
    expect([one, two, control].map(suspicionOf)).toEqual([undefined, undefined, undefined]);
    await ask(two, 1);
    const found = { kind: 'known-denied', percent: 100, answers: 50 };
    expect(suspicionOf(two)).toMatchObject(found);
    await eventually(() => {
      for (const other of [one, control]) expect(suspicionOf(other)).toMatchObject(found);
    });
    // It is told of once, though another guard comes to the same.
    await ask(one, 1);
    await eventually(async () => expect(await toldOf('backend.suspicious')).toBe(1));

    portal.allow();
    await ask(one, 150);
    await ask(two, 150);
    await eventually(() => {
      expect([one, two, control].map(suspicionOf)).toEqual([undefined, undefined, undefined]);
    });
    await eventually(async () => expect(await toldOf('backend.trusted-again')).toBe(1));
    expect(await toldOf('backend.suspicious')).toBe(1);
  });
});
