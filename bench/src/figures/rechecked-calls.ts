import { setTimeout as delay } from 'node:timers/promises';
import type { Figures } from '../figure.js';
import type { LoadReport } from '../load/load-job.js';
import { compared, each, type Pair } from '../pairs.js';
import type { Generator } from '../processes/generator.js';
import type { BackendCall, CountingBackend } from '../processes/http-server.js';
import type { UsherProcess } from '../processes/usher.js';
import { median, mostWithin, spread } from '../statistics.js';
import { newViewers, runOnRung, type RungReport } from './rig.js';

/** Re-checks a second, as it is configured. */
export const PACE = 500;
/** First checks a second meanwhile. */
const RATE = 50;
const CONNECTIONS = 64;
const AIM = 1.1;
/** What is taken stands so far ahead until it was asked about; what was asked about stands much later, ms. */
export const TAKEN_FOR = 60_000;
/**
 * Re-checks that take so many times as long as they should fail the run, and so long more, ms: one that met a busy Redis is
 * due again when the time is over for which it was taken.
 */
export const PATIENCE = { times: 3, more: TAKEN_FOR + 15_000 };

/** All re-checks of one repetition, as the backend saw them. */
export interface Rechecks {
  /** Calls in the second, and in the tenth of one, that had most. */
  readonly inOneSecond: number;
  readonly inTenth: number;
  /** From when all were due until the last came, s. */
  readonly seconds: number;
}

/** First checks for so long, s. */
export function firstChecks(
  generator: Generator,
  gateway: UsherProcess,
  viewers: ReturnType<typeof newViewers>,
  seconds: number,
): Promise<RungReport> {
  return runOnRung(generator, gateway, ['backend'], {
    ...viewers(RATE * seconds),
    connections: CONNECTIONS,
    loop: { kind: 'open', rate: RATE, seconds, warm: 0 },
  });
}

/** The first checks; rejects unless each opened a session. */
export async function open(generator: Generator, port: number, first: number, count: number): Promise<void> {
  const { answered } = await generator.run({
    port,
    first,
    count,
    connections: CONNECTIONS,
    loop: { kind: 'closed' },
  });
  if (answered !== count) throw new Error(`${answered} of ${count} sessions were opened`);
}

/**
 * Gathers the calls about these viewers until so many were asked about. Rejects where one is asked about twice, unless that
 * may be: a question that was not answered in time is asked again after an outage.
 */
export async function until(
  backend: CountingBackend,
  viewers: ReadonlySet<number>,
  calls: BackendCall[],
  count: number,
  { mayRepeat = false } = {},
): Promise<void> {
  const asked = (): number => new Set(calls.map(({ viewer }) => viewer)).size;
  const by = performance.now() + (count / PACE) * 1_000 * PATIENCE.times + PATIENCE.more;
  while (asked() < count) {
    if (performance.now() > by) throw new Error(`${asked()} of ${count} sessions were asked about again`);
    await delay(20);
    calls.push(...(await backend.calls()).filter(({ viewer }) => viewers.has(viewer)));
  }
  if (!mayRepeat && asked() < calls.length) throw new Error('a session was asked about twice');
}

export function rechecksOf(calls: readonly BackendCall[], seconds: number): Rechecks {
  const instants = calls.map(({ at }) => at);
  return { inOneSecond: mostWithin(instants, 1_000), inTenth: mostWithin(instants, 100), seconds };
}

export function rateFigure(rechecks: readonly Rechecks[], sessions: number): Figures[string] {
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

export function latencyFigure(pairs: readonly Pair<LoadReport>[]): Figures[string] {
  const p50 = (side: 'a' | 'b'): number => median(pairs.map((pair) => pair[side].latency.p50));
  return {
    ...compared(each(pairs, ({ latency }) => latency.p99)),
    unit: 'ms',
    besideWhat: 'no re-checks',
    details: { rate: RATE, p50: { meanwhile: p50('a'), without: p50('b') } },
  };
}
