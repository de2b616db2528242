import { setTimeout as delay } from 'node:timers/promises';
import { allShards } from '#usher/sessions';
import type { Redis } from 'ioredis';
import type { Effort, Figures } from '../figure.js';
import type { LoadReport } from '../load/load-job.js';
import { compared, each, inTurns, type Pair } from '../pairs.js';
import type { Generator } from '../processes/generator.js';
import { startCountingBackend, type BackendCall, type CountingBackend } from '../processes/http-server.js';
import { startRedis } from '../processes/redis.js';
import { median, mostWithin, spread } from '../statistics.js';
import { startControlRig } from './control-rig.js';
import { newViewers, runOnRung, withGenerator, type RungReport } from './rig.js';
import { SHARDS } from './sessions.js';

/** Re-checks a second, as it is configured. */
const PACE = 500;
/** First checks a second meanwhile. */
const RATE = 50;
const CONNECTIONS = 64;
const AIM = 1.1;
/** Pairs: each takes twice as long as all re-checks do. */
const MOST_PAIRS = 3;
/** What is taken stands so far ahead until it was asked about; what was asked about stands much later, ms. */
const TAKEN_FOR = 60_000;
/**
 * Re-checks that take so many times as long as they should fail the run, and so long more, ms: one that met a busy Redis is
 * due again when the time is over for which it was taken.
 */
const PATIENCE = { times: 3, more: TAKEN_FOR + 15_000 };

/** All re-checks of one repetition, as the backend saw them. */
interface Rechecks {
  /** Calls in the second, and in the tenth of one, that had most. */
  readonly inOneSecond: number;
  readonly inTenth: number;
  /** From when all were due until the last came, s. */
  readonly seconds: number;
}

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
    const firstChecks = (): Promise<RungReport> =>
      runOnRung(generator, gateway!, ['backend'], {
        ...viewers(RATE * seconds),
        connections: CONNECTIONS,
        loop: { kind: 'open', rate: RATE, seconds, warm: 0 },
      });
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
        const [report] = await Promise.all([firstChecks(), until(backend, asked, calls, renewals)]);
        const done = rechecksOf(calls, (performance.now() - began) / 1_000);
        if (done.seconds < seconds / 2) throw new Error(`all were asked about within ${done.seconds} s`);
        rechecks.push(done);
        return report;
      };
      await firstChecks();
      const pairs = await inTurns(Math.min(MOST_PAIRS, repetitions), meanwhile, firstChecks);
      return { recheck: rateFigure(rechecks, renewals), recheckFirstChecksP99: latencyFigure(pairs) };
    } finally {
      await Promise.all([rig.stop(), backend.stop()]);
      await redis.stop();
    }
  });
}

/** The first checks; rejects unless each opened a session. */
async function open(generator: Generator, port: number, first: number, count: number): Promise<void> {
  const { answered } = await generator.run({
    port,
    first,
    count,
    connections: CONNECTIONS,
    loop: { kind: 'closed' },
  });
  if (answered !== count) throw new Error(`${answered} of ${count} sessions were opened`);
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

/** Gathers the calls about these viewers until there are so many. Rejects where one is asked about twice. */
async function until(
  backend: CountingBackend,
  viewers: ReadonlySet<number>,
  calls: BackendCall[],
  count: number,
): Promise<void> {
  const by = performance.now() + (count / PACE) * 1_000 * PATIENCE.times + PATIENCE.more;
  while (calls.length < count) {
    if (performance.now() > by)
      throw new Error(`${calls.length} of ${count} sessions were asked about again`);
    await delay(20);
    calls.push(...(await backend.calls()).filter(({ viewer }) => viewers.has(viewer)));
  }
  if (new Set(calls.map(({ viewer }) => viewer)).size < calls.length) {
    throw new Error('a session was asked about twice');
  }
}

function rechecksOf(calls: readonly BackendCall[], seconds: number): Rechecks {
  const instants = calls.map(({ at }) => at);
  return { inOneSecond: mostWithin(instants, 1_000), inTenth: mostWithin(instants, 100), seconds };
}

function rateFigure(rechecks: readonly Rechecks[], sessions: number): Figures[string] {
  const rates = rechecks.map(({ inOneSecond }) => inOneSecond);
  // One second in which it is too fast is one too many.
  const value = Math.max(...rates);
  return {
    value,
    unit: 'calls in a second',
    spread: spread(rates),
    aim: { text: `never > ${PACE * AIM}`, met: value <= PACE * AIM },
    details: {
      sessions,
      pace: PACE,
      mostInTenthOfSecond: Math.max(...rechecks.map(({ inTenth }) => inTenth)),
      secondsUntilDone: median(rechecks.map(({ seconds }) => seconds)),
    },
  };
}

function latencyFigure(pairs: readonly Pair<LoadReport>[]): Figures[string] {
  const p50 = (side: 'a' | 'b'): number => median(pairs.map((pair) => pair[side].latency.p50));
  return {
    ...compared(each(pairs, ({ latency }) => latency.p99)),
    unit: 'ms',
    besideWhat: 'no re-checks',
    details: { rate: RATE, p50: { meanwhile: p50('a'), without: p50('b') } },
  };
}
