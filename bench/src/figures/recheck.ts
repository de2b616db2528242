import { setTimeout as delay } from 'node:timers/promises';
import { allShards } from '#usher/sessions';
import type { Redis } from 'ioredis';
import type { Effort, Figures } from '../figure.js';
import { inTurns } from '../pairs.js';
import { startCountingBackend, type BackendCall } from '../processes/http-server.js';
import { startRedis } from '../processes/redis.js';
import { startControlRig } from './control-rig.js';
import {
  firstChecks,
  latencyFigure,
  open,
  PACE,
  PATIENCE,
  rateFigure,
  rechecksOf,
  TAKEN_FOR,
  until,
  type Rechecks,
} from './rechecked-calls.js';
import { newViewers, withGenerator, type RungReport } from './rig.js';
import { SHARDS } from './sessions.js';

/** Pairs: each takes twice as long as all re-checks do. */
const MOST_PAIRS = 3;
/**
 * Sessions that are all due to be asked about again at once: how fast the backend is asked about them, and what that
 * costs the first checks that come meanwhile.
 */
export function recheck({ repetitions, renewals }: Effort): Promise<Figures> {
  return withGenerator(async (generator) => {
    const [redis, backend] = [await startRedis(), await startCountingBackend()];
    const rig = await startControlRig(1, {
      redisUrl: redis.url,
      backendPort: backend.port,
      backend: { credential: 'reusable' },
      control: { renewalsPerSecond: PACE },
    });
    const [gateway] = rig.gateways;
    const viewers = newViewers();
    const seconds = renewals / PACE;
    const checks = (): Promise<RungReport> => firstChecks(generator, gateway!, viewers, seconds);
    try {
      const { first } = viewers(renewals);
      await open(generator, gateway!.port, first, renewals);
      const due = await dueSessions(redis.client, renewals);
      const rechecks: Rechecks[] = [];
      const meanwhile = async (): Promise<RungReport> => {
        await due.nobody();
        await backend.calls();
        await due.everybody();
        const began = performance.now();
        const asked = new Set(Array.from({ length: renewals }, (_, i) => first + i));
        const calls: BackendCall[] = [];
        await until(backend, asked, calls, 1);
        const [report] = await Promise.all([checks(), until(backend, asked, calls, renewals)]);
        const done = rechecksOf(calls, (performance.now() - began) / 1_000);
        if (done.seconds < seconds / 2) throw new Error(`all were asked about within ${done.seconds} s`);
        rechecks.push(done);
        return report;
      };
      await checks();
      const pairs = await inTurns(Math.min(MOST_PAIRS, repetitions), meanwhile, checks);
      return { recheck: rateFigure(rechecks, renewals), recheckFirstChecksP99: latencyFigure(pairs) };
    } finally {
      await Promise.all([rig.stop(), backend.stop()]);
      await redis.stop();
    }
  });
}

interface DueSessions {
  /** Makes them all due now. */
  everybody(): Promise<void>;
  /** Resolves when every one of them was asked about, and stands for its next time. */
  nobody(): Promise<void>;
}

/** The sessions that will be asked about again; waits until there are so many. */
async function dueSessions(redis: Redis, count: number): Promise<DueSessions> {
  const keys = allShards(SHARDS).map((shard) => `usher:due:{${shard}}`);
  const sum = async (of: (key: string) => Promise<number>): Promise<number> =>
    (await Promise.all(keys.map(of))).reduce((total, each) => total + each, 0);
  const reach = async (what: string, of: (key: string) => Promise<number>, wanted: number): Promise<void> => {
    const by = performance.now() + PATIENCE.more;
    while ((await sum(of)) !== wanted) {
      if (performance.now() > by) throw new Error(`${await sum(of)} sessions are ${what}, not ${wanted}`);
      await delay(20);
    }
  };
  await reach('to be asked about again', (key) => redis.zcard(key), count);
  const members = await Promise.all(keys.map((key) => redis.zrange(key, '0', '-1')));
  return {
    everybody: async () => {
      const now = String(Date.now());
      await Promise.all(
        keys.map((key, i) =>
          redis.call('ZADD', key, 'XX', ...members[i]!.flatMap((member) => [now, member])),
        ),
      );
    },
    nobody: () => reach('due soon', (key) => redis.zcount(key, 0, Date.now() + 2 * TAKEN_FOR), 0),
  };
}
