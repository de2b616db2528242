import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RenewalJob, type RenewalJobParts } from '../../../apps/control/src/renewals/renewal-job.js';
import { VirtualTime } from '../../../libs/testing/src/virtual-time.js';
import {
  silentLog,
  type BackendAnswer,
  type Check,
  type Question,
  type Session,
  type SessionName,
} from '#usher/domain';
import { openRenewal, renewals } from '#usher/node';
import { connectRedis, createSealer, type RedisClient } from '#usher/redis';
import { allShards, RedisSessionRegistry, RenewalStore } from '#usher/sessions';
import type { Effort, Figures } from '../figure.js';
import { startRedis } from '../processes/redis.js';
import { SHARDS } from './sessions.js';
import { once, PACE, TAKES, VirtualBackend } from './virtual-backend.js';

/** Questions of the job that may be under way at once. */
const WIDTH = 32;
/** One of so many is refused now: not so many that the job doubts the backend. */
const DENIED = 100;
/** Sessions written side by side at the beginning. */
const SIDE_BY_SIDE = 500;
const LIFE = 14_400_000;
const HOUR = 3_600_000;

/**
 * The re-check job itself, in this process, over that many sessions of a real Redis that are all due at once, with a clock
 * that passes while nobody works: how fast the backend is asked in any second of it, and what that costs first checks.
 */
export async function recheckVirtual({ sessions }: Effort): Promise<Figures> {
  const server = await startRedis();
  const redis = connectRedis({ url: server.url, timeout: 10_000 });
  await redis.ready();
  try {
    return figuresOf(await run(redis, sessions), sessions);
  } finally {
    await redis.close();
    await server.stop();
  }
}

interface Run {
  readonly backend: VirtualBackend;
  /** Who is allowed is asked about once, who is refused until that is believed. */
  readonly askedTwice: number;
  readonly renewed: number;
  readonly denied: number;
  readonly revoked: number;
  readonly stillDue: number;
  readonly virtualSeconds: number;
  readonly wallSeconds: number;
  /** After a collection, MB: when a tenth was asked about, and the most from then on. */
  readonly heap: { readonly early: number; readonly most: number };
}

async function run(redis: RedisClient, count: number): Promise<Run> {
  const time = new VirtualTime(Date.now());
  const { clock } = time;
  const registry = new RedisSessionRegistry(redis, clock, { shards: SHARDS, eventsKept: 1_000 });
  const store = new RenewalStore(redis, clock);
  const sealer = createSealer(['a secret of this benchmark']);
  await openAll({ redis, registry, store, sealer, count, now: clock.now() });

  const backend = new VirtualBackend(time);
  const began = { at: clock.monotonic(), wall: performance.now() };
  const asked = new Uint8Array(count);
  const heap = new HeapWatch();
  let [settled, askedTwice, revoked] = [0, 0, 0];
  let allSettled = (): void => undefined;
  const done = new Promise<void>((resolve) => (allSettled = resolve));
  const ended = new AbortController();

  /** As a worker does with a question that nobody waits for. */
  const ask = async ({ check }: Question): Promise<BackendAnswer> => {
    await backend.recheck();
    const id = Number(check.sessionId);
    askedTwice += asked[id]! > 0 && id % DENIED !== 0 ? 1 : 0;
    asked[id] = 1;
    if (id % DENIED === 0) return { ...ANSWER, kind: 'deny', reason: 'backend-denied', status: 403 };
    await time.working(async () => {
      const session = sessionOf(id, clock.now());
      await registry.open(session);
      await again(registry.shardOf(session), session, clock.now() + HOUR);
    });
    note();
    return { ...ANSWER, kind: 'allow', reason: 'backend-allowed' };
  };
  const note = (): void => {
    settled += 1;
    if (settled % (count / 10) === 0) heap.look();
    if (settled === count) allSettled();
  };
  /** Redis has a clock of its own, which says what is due: what is put back for a while is due when that has passed here. */
  const again = async (shard: string, name: SessionName, dueAt: number): Promise<void> => {
    const left = dueAt - clock.now();
    if (left >= HOUR / 2) return time.working(() => store.again(shard, name, Date.now() + left));
    await time.working(() => store.again(shard, name, Date.now() + HOUR / 4));
    void time.pause(left).then(() => time.working(() => store.again(shard, name, Date.now())));
  };
  const parts: RenewalJobParts = {
    store: {
      take: (...given) => time.working(() => store.take(...given)),
      again,
      drop: (...given) => time.working(() => store.drop(...given)),
    },
    registry: {
      shards: registry.shards,
      shardOf: (session) => registry.shardOf(session),
      read: (name) => time.working(() => registry.read(name)),
      open: (session) => time.working(() => registry.open(session)),
    },
    leases: { renew: async () => undefined, holds: () => true, release: async () => undefined },
    revoke: async (session, reason) => {
      await time.working(() => registry.revoke(session, reason, { fingerprint: session.fingerprint }));
      revoked += 1;
      note();
    },
    ask,
    unseal: (session, sealed) => openRenewal(sealer, session, sealed),
    isSuspicious: () => false,
    isRefreshed: () => false,
    pace: () => PACE,
    grace: 60_000,
    clock,
    random: Math.random,
    log: silentLog,
    widths: () => new Map([['portal', WIDTH]]),
    pause: time.pause,
  };
  const job = new RenewalJob(parts);
  job.start();
  const watching = backend.viewers(ended.signal);
  await time.until(done);
  const virtualSeconds = (clock.monotonic() - began.at) / 1_000;
  ended.abort();
  await time.until(Promise.all([job.stop(), watching]));
  const due = allShards(SHARDS).map((shard) =>
    redis.call('ZCOUNT', [`usher:due:{${shard}}`, '-inf', Date.now() + HOUR / 2]),
  );
  return {
    backend,
    askedTwice,
    renewed: job.counts.renewed,
    denied: job.counts.denied,
    revoked,
    stillDue: (await Promise.all(due)).reduce<number>((sum, one) => sum + Number(one), 0),
    virtualSeconds,
    wallSeconds: (performance.now() - began.wall) / 1_000,
    heap,
  };
}

const ANSWER = { backend: 'portal', tookMs: TAKES, status: 200 } as const;

function checkOf(id: number): Check {
  return {
    id: `c${id}`,
    dialect: 'astra',
    edge: 'astra-1',
    sessionId: String(id),
    sessionGiven: true,
    channel: `a${id % 500}`,
    ip: `10.${(id >> 16) & 255}.${(id >> 8) & 255}.${id & 255}`,
    path: '/play/a001/index.m3u8',
    userAgent: 'MAG250',
    host: 'live.example.com',
    origin: '',
    query: `token=${id}`,
  };
}

const identityOf = (id: number) => ({
  fingerprint: String(id).padStart(26, 'f'),
  viewerKey: String(id).padStart(26, 'v'),
});

function sessionOf(id: number, now: number): Session {
  return {
    ...checkOf(id),
    ...identityOf(id),
    backend: 'portal',
    namespace: 'portal',
    user: `user-${id}`,
    sessionName: '',
    state: 'active',
    source: 'backend',
    presence: 'assumed',
    openedAt: Math.round(now) - 60_000,
    authorizedUntil: Math.round(now) + HOUR,
    aliveUntil: Math.round(now) + LIFE,
  };
}

interface Opening {
  readonly redis: RedisClient;
  readonly registry: RedisSessionRegistry;
  readonly store: RenewalStore;
  readonly sealer: Parameters<typeof renewals>[0]['sealer'];
  readonly count: number;
  readonly now: number;
}

/** All of them live, have their sealed question, and are due. */
async function openAll({ registry, store, sealer, count, now }: Opening): Promise<void> {
  const clock = { now: () => now, monotonic: () => 0 };
  const traits = new Map([['portal', { credential: 'reusable' }]]) as never;
  const renewed = renewals({ store, registry, sealer, clock, random: Math.random, traits, log: silentLog });
  for (let from = 0; from < count; from += SIDE_BY_SIDE) {
    const ids = Array.from({ length: Math.min(SIDE_BY_SIDE, count - from) }, (_, i) => from + i);
    await Promise.all(
      ids.map(async (id) => {
        const session = sessionOf(id, now);
        const { shard, name, sealed } = renewed.seal(checkOf(id), identityOf(id), session)!;
        await registry.open(session);
        await store.keep(shard, name, sealed, now - 60_000);
      }),
    );
  }
}

/** What is held after a collection, MB. */
class HeapWatch {
  early = 0;
  most = 0;
  readonly #collect: () => void;

  constructor() {
    setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc') as () => void;
  }

  look(): void {
    this.#collect();
    const held = process.memoryUsage().heapUsed / 2 ** 20;
    if (this.early === 0) this.early = held;
    this.most = Math.max(this.most, held);
  }
}

function figuresOf(run: Run, sessions: number): Figures {
  const { backend, heap, askedTwice, renewed, denied, stillDue, virtualSeconds, wallSeconds } = run;
  const wrong = [
    ...(askedTwice > 0 ? [`${askedTwice} were asked about twice`] : []),
    ...(renewed + denied !== sessions ? [`${renewed + denied} of ${sessions} were settled`] : []),
    ...(denied !== run.revoked ? [`${run.revoked} of ${denied} were revoked`] : []),
    ...(stillDue > 0 ? [`${stillDue} are still due`] : []),
  ];
  if (wrong.length > 0) throw new Error(`re-checks by virtual clock: ${wrong.join(', ')}`);
  return {
    ...backend.figures('recheckVirtual', { sessions, renewed, denied, virtualSeconds, wallSeconds }),
    recheckVirtualHeap: {
      ...once(heap.most / heap.early),
      unit: 'heap held: the most, over that when a tenth was done',
      aim: { text: '< 1.5', met: heap.most < 1.5 * heap.early },
      details: { earlyMB: heap.early, mostMB: heap.most },
    },
  };
}
