import { request } from 'node:http';
import type { Effort, Figures } from '../figure.js';
import type { LoadReport } from '../load/load-job.js';
import { compared, each, inTurns, type Pair } from '../pairs.js';
import { startBareServer } from '../processes/http-server.js';
import type { Generator } from '../processes/generator.js';
import { median } from '../statistics.js';
import { runOnRung, startRig, withGenerator } from './rig.js';

/** Enough that answering is not a matter of one hot entry. */
const VIEWERS = 1_000;
const CONNECTIONS = 64;
const AIM_RATE = 0.75;
const AIM_P99 = 1.5;
/** Headers that node adds by itself to every answer. */
const OF_NODE = new Set(['date', 'connection', 'keep-alive']);

/**
 * Checks that a gateway answers from memory, beside a bare `node:http` server that sends the same headers: how many,
 * and, at half of what the bare one can do, how fast.
 */
export function cachedCheck(effort: Effort): Promise<Figures> {
  return withGenerator(async (generator) => {
    const rig = await startRig({ workers: 1 });
    const viewers = { first: 0, count: VIEWERS, connections: CONNECTIONS };
    try {
      await generator.run({ ...viewers, port: rig.gateway.port, connections: 16, loop: { kind: 'closed' } });
      const bare = await startBareServer(await answerHeaders(rig.gateway.port));
      const measure = (loop: Parameters<Generator['run']>[0]['loop']): Promise<readonly Pair<LoadReport>[]> =>
        inTurns(
          effort.repetitions,
          () => runOnRung(generator, rig.gateway, ['cache'], { ...viewers, loop }),
          () => generator.run({ ...viewers, port: bare.port, loop }),
        );
      try {
        const { seconds, warm } = effort;
        const closed = await measure({ kind: 'closed', seconds, warm });
        const rate = median(closed.map(({ b }) => b.rate)) / 2;
        const open = await measure({ kind: 'open', seconds, warm, rate });
        return { cachedCheck: rateFigure(closed), cachedCheckOpenLoopP99: latencyFigure(open, rate) };
      } finally {
        await bare.stop();
      }
    } finally {
      await rig.stop();
    }
  });
}

function rateFigure(pairs: readonly Pair<LoadReport>[]): Figures[string] {
  const rates = compared(each(pairs, ({ rate }) => rate));
  return {
    ...rates,
    unit: 'checks/s',
    besideWhat: 'bare node:http',
    aim: { text: `ratio ≥ ${AIM_RATE}`, met: rates.ratio >= AIM_RATE },
    details: { latency: latencies(pairs), connections: CONNECTIONS, generatorBusy: busiest(pairs) },
  };
}

function latencyFigure(pairs: readonly Pair<LoadReport>[], rate: number): Figures[string] {
  const p99 = compared(each(pairs, ({ latency }) => latency.p99));
  return {
    ...p99,
    unit: 'ms',
    besideWhat: 'bare node:http',
    aim: { text: `ratio ≤ ${AIM_P99}`, met: p99.ratio <= AIM_P99 },
    details: { rate: Math.round(rate), latency: latencies(pairs) },
  };
}

/** Medians of both, ms. */
function latencies(pairs: readonly Pair<LoadReport>[]): Readonly<Record<string, unknown>> {
  const of = (side: 'a' | 'b', name: keyof LoadReport['latency']): number =>
    median(pairs.map((pair) => pair[side].latency[name]));
  const all = (side: 'a' | 'b'): Readonly<Record<string, number>> => ({
    p50: of(side, 'p50'),
    p99: of(side, 'p99'),
    p999: of(side, 'p999'),
  });
  return { unit: 'ms', gateway: all('a'), bare: all('b') };
}

function busiest(pairs: readonly Pair<LoadReport>[]): number {
  return Math.max(...pairs.flatMap(({ a, b }) => [a.generatorBusy, b.generatorBusy]));
}

/** The headers of a cached answer, names and values in turn. */
function answerHeaders(port: number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const headers = { 'X-Session-ID': 'bare', 'X-Channel-ID': 'ch1', 'X-Real-IP': '10.0.0.1' };
    const path = `/e/astra-0/check?token=1`;
    const call = request({ port, path, headers, host: '127.0.0.1', agent: false }, (response) => {
      response.resume();
      const { rawHeaders } = response;
      resolve(rawHeaders.filter((_, i) => !OF_NODE.has(rawHeaders[i - (i % 2)]!.toLowerCase())));
    });
    call.once('error', reject);
    call.end();
  });
}
