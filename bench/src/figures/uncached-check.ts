import type { Effort, Figures } from '../figure.js';
import { compared, each, inTurns, type Pair } from '../pairs.js';
import { median, spread } from '../statistics.js';
import { newViewers, runOnRung, startRig, withGenerator, type RungReport } from './rig.js';

const CONNECTIONS = 64;
/** Checks a second at which the bus's own part in the latency is measured … */
const RATE = 1_000;
/** … or this share of what the slower way can do at most, where that is less: near its limit a machine measures its queues. */
const SHARE = 1 / 2;
/** More than any run asks for: no viewer asks twice. */
const PLENTY = 1_000_000;
const AIM_P50 = 1;
const AIM_P99 = 15;
/** Repetitions that differ by more, ms, or find the longer way the faster one, tell of the machine. */
const STEADY = 2;

/**
 * Checks that nobody has asked before, to a backend that answers at once: through the bus and a worker, beside a gateway
 * that has no worker and asks the backend itself.
 */
export function uncachedCheck(effort: Effort): Promise<Figures> {
  return withGenerator(async (generator) => {
    const bus = await startRig({ workers: 1 });
    const direct = await startRig({ workers: 0 });
    const viewers = newViewers();
    const { repetitions, seconds, warm } = effort;
    try {
      const measure = (loop: Parameters<typeof generator.run>[0]['loop']) =>
        inTurns(
          repetitions,
          () =>
            runOnRung(generator, bus.gateway, ['backend'], {
              ...viewers(PLENTY),
              connections: CONNECTIONS,
              loop,
            }),
          () =>
            runOnRung(generator, direct.gateway, ['direct'], {
              ...viewers(PLENTY),
              connections: CONNECTIONS,
              loop,
            }),
        );
      // Just-in-time compilation is no part of a service that runs for months.
      for (const rig of [bus, direct]) {
        const loop = { kind: 'closed', seconds: seconds / 2 } as const;
        await generator.run({ ...viewers(PLENTY), port: rig.gateway.port, connections: CONNECTIONS, loop });
      }
      const closed = await measure({ kind: 'closed', seconds, warm });
      const most = Math.min(...closed.flatMap(({ a, b }) => [a.rate, b.rate]));
      const rate = Math.min(RATE, Math.floor((most * SHARE) / 10) * 10);
      const open = await measure({ kind: 'open', seconds, warm, rate });
      const rates = compared(each(closed, ({ rate }) => rate));
      const added = (name: 'p50' | 'p99' | 'p999'): readonly number[] =>
        open.map(({ a, b }) => a.latency[name] - b.latency[name]);
      const [p50, p99] = [median(added('p50')), median(added('p99'))];
      const latency = (side: 'a' | 'b') => ({
        p50: median(open.map((pair) => pair[side].latency.p50)),
        p99: median(open.map((pair) => pair[side].latency.p99)),
      });
      return {
        uncachedCheck: {
          ...rates,
          unit: 'checks/s',
          besideWhat: 'direct rung, no bus',
          details: { connections: CONNECTIONS, onRung: leastOnRung(closed) },
        },
        busAddedLatency: {
          value: p50,
          unit: 'ms',
          spread: spread(added('p50')),
          noisy: added('p50').some((ms) => ms < 0 || ms > p50 + STEADY),
          aim: {
            text: `p50 ≤ ${AIM_P50}, p99 ≤ ${AIM_P99}${rate < RATE ? ` (at ${rate}/s: it can do no more steadily)` : ''}`,
            met: p50 <= AIM_P50 && p99 <= AIM_P99,
          },
          details: {
            rate,
            onRung: leastOnRung(open),
            p99,
            p99Spread: spread(added('p99')),
            p999: median(added('p999')),
            latency: { unit: 'ms', bus: latency('a'), direct: latency('b') },
          },
        },
      };
    } finally {
      await Promise.all([bus.stop(), direct.stop()]);
    }
  });
}

function leastOnRung(pairs: readonly Pair<RungReport>[]): number {
  return Math.min(...pairs.flatMap(({ a, b }) => [a.onRung, b.onRung]));
}
