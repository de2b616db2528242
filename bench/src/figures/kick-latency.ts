import type { Effort, Figure, Figures } from '../figure.js';
import { startProbe, type Probe } from '../load/probe.js';
import { EDGES } from '../load/viewers.js';
import type { Generator } from '../processes/generator.js';
import { startTrivialBackend } from '../processes/http-server.js';
import { startRedis } from '../processes/redis.js';
import { percentile, spread } from '../statistics.js';
import { startControlRig, type ControlRig } from './control-rig.js';
import { newViewers, runOnRung, withGenerator } from './rig.js';

const GATEWAYS = 3;
const CONNECTIONS = 16;
/** A gateway that still lets in after so long fails the run, ms. */
const PATIENCE = 5_000;
const AIM = 100;
/** Repetitions whose middles differ by more than this factor tell of the machine. */
const STEADY = 1.5;

/** What is asked of the API about one viewer. */
interface Change {
  readonly path: string;
  readonly body: (viewer: number) => unknown;
  /** Fails where the answer does not tell that it was done. */
  readonly check: (body: string) => boolean;
}

const KICK: Change = {
  path: '/kicks',
  body: (viewer) => ({
    session: { edge: EDGES[viewer % EDGES.length], id: String(viewer) },
    reason: 'a benchmark',
  }),
  check: (body) => (JSON.parse(body) as { revoked: unknown[] }).revoked.length === 1,
};
const HOLD: Change = {
  path: '/holds',
  body: (viewer) => ({ kind: 'user', subject: `portal/viewer-${viewer}`, for: '60s', reason: 'a benchmark' }),
  check: (body) => (JSON.parse(body) as { kind: string }).kind === 'user',
};

/** Of one viewer, ms. */
interface Followed {
  /** From when the API was asked until the last of the gateways refused. */
  readonly all: number;
  /** The same for each gateway. */
  readonly each: readonly number[];
  /** From the API's answer until the last refused; 0 where it had refused by then. */
  readonly afterAnswer: number;
  /** Until the API answered. */
  readonly api: number;
}

/**
 * How long a viewer whom three gateways hold in memory is still let in by one of them, after an operator asked for his
 * session to end, or for a hold on him. One change at a time, each of a viewer of its own.
 */
export function kickLatency({ repetitions, changes }: Effort): Promise<Figures> {
  return withGenerator(async (generator) => {
    const [redis, backend] = [await startRedis(), await startTrivialBackend()];
    const rig = await startControlRig(GATEWAYS, { redisUrl: redis.url, backendPort: backend.port });
    const probes = await Promise.all(rig.gateways.map(({ port }) => startProbe(port)));
    const viewers = newViewers();
    const count = Math.ceil(changes / repetitions);
    const batch = async (change: Change): Promise<readonly Followed[]> => {
      const { first } = viewers(count);
      await letIn(generator, rig, { first, count });
      const followed: Followed[] = [];
      for (let viewer = first; viewer < first + count; viewer += 1) {
        followed.push(await follow(rig, probes, change, viewer));
      }
      await stayRefused(rig, probes, { first, count });
      return followed;
    };
    try {
      const [kicks, holds]: (readonly Followed[])[][] = [[], []];
      // The first ones are slower, and not what an operator meets on a service that runs for months.
      for (const change of [KICK, HOLD]) await batch(change);
      for (let i = 0; i < repetitions; i += 1) {
        kicks!.push(await batch(KICK));
        holds!.push(await batch(HOLD));
      }
      return { kickLatency: figureOf(kicks!), holdLatency: figureOf(holds!) };
    } finally {
      for (const probe of probes) probe.close();
      await Promise.all([rig.stop(), backend.stop()]);
      await redis.stop();
    }
  });
}

interface Range {
  readonly first: number;
  readonly count: number;
}

/** Every gateway answers all of them from its memory afterwards; rejects where one does not. */
async function letIn(generator: Generator, { gateways }: ControlRig, range: Range): Promise<void> {
  const job = { ...range, connections: CONNECTIONS, loop: { kind: 'closed' } } as const;
  for (const gateway of gateways) await generator.run({ ...job, port: gateway.port });
  for (const gateway of gateways) {
    const { onRung } = await runOnRung(generator, gateway, ['cache'], job);
    if (onRung < 1) throw new Error('a gateway does not hold all sessions in its memory');
  }
}

async function follow(
  { operator }: ControlRig,
  probes: readonly Probe[],
  { path, body, check }: Change,
  viewer: number,
): Promise<Followed> {
  const began = performance.now();
  const [answer, ...refused] = await Promise.all([
    operator.ask('POST', path, body(viewer)),
    ...probes.map((probe) => probe.untilRefused(viewer, began + PATIENCE)),
  ]);
  if (!check(answer.body)) throw new Error(`${path} did nothing: ${answer.body}`);
  const last = Math.max(...refused);
  return {
    all: last - began,
    each: refused.map((at) => at - began),
    afterAnswer: Math.max(0, last - answer.at),
    api: answer.at - began,
  };
}

/** Rejects where one is let in again, or is refused for another reason than a hold. */
async function stayRefused(
  rig: ControlRig,
  probes: readonly Probe[],
  { first, count }: Range,
): Promise<void> {
  for (const [i, probe] of probes.entries()) {
    const held = async (): Promise<number> => (await rig.gateways[i]!.answersBySource()).get('hold') ?? 0;
    const before = await held();
    for (let viewer = first; viewer < first + count; viewer += 1) await probe.ask(viewer);
    const gained = (await held()) - before;
    if (gained !== count) throw new Error(`${gained} of ${count} viewers are refused by a hold`);
  }
}

function figureOf(batches: readonly (readonly Followed[])[]): Figure {
  const all = batches.flat();
  const p99s = batches.map((batch) => of(batch, ({ all: ms }) => [ms]).p99);
  const p50s = batches.map((batch) => of(batch, ({ all: ms }) => [ms]).p50);
  const { p50, p99 } = of(all, ({ all: ms }) => [ms]);
  return {
    value: p99,
    unit: 'ms',
    spread: spread(p99s),
    noisy: Math.max(...p50s) > STEADY * Math.min(...p50s),
    aim: { text: `p99 ≤ ${AIM}`, met: p99 <= AIM },
    details: {
      changes: all.length,
      gateways: GATEWAYS,
      p50,
      eachGateway: of(all, ({ each }) => each),
      afterAnswer: of(all, ({ afterAnswer }) => [afterAnswer]),
      api: of(all, ({ api }) => [api]),
    },
  };
}

function of(
  batch: readonly Followed[],
  times: (followed: Followed) => readonly number[],
): { readonly p50: number; readonly p99: number; readonly max: number } {
  const sorted = Float64Array.from(batch.flatMap(times)).sort();
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: percentile(sorted, 1) };
}
