import { setTimeout as delay } from 'node:timers/promises';
import type { Effort, Figures } from '../figure.js';
import { inTurns } from '../pairs.js';
import type { Generator } from '../processes/generator.js';
import { startCountingBackend, type BackendCall } from '../processes/http-server.js';
import { startRedis } from '../processes/redis.js';
import type { UsherProcess } from '../processes/usher.js';
import { startControlRig } from './control-rig.js';
import {
  firstChecks,
  latencyFigure,
  open,
  PACE,
  rateFigure,
  rechecksOf,
  until,
  type Rechecks,
} from './rechecked-calls.js';
import { newViewers, withGenerator, type RungReport } from './rig.js';

/** Each has an outage of its own. */
const MOST_PAIRS = 2;
/** Viewers who come one after the other until the backend is given up, or asked again: so many at once. */
const FEW = 20;
/** A breaker turns within, ms. */
const TURNS_WITHIN = 30_000;
/** An outage of seconds, so that the figure does not wait for its end. */
const BREAKER = { consecutive: 3, window: '2s', openFor: '1s', rampStep: '100ms', probes: 1 };

/**
 * Viewers who were let in on trust in an outage, and are all asked about when it is over: how fast the backend is asked
 * about them, and what that costs the first checks that come meanwhile.
 */
export function recheckOutage({ repetitions, renewals }: Effort): Promise<Figures> {
  return withGenerator(async (generator) => {
    const [redis, backend] = [await startRedis(), await startCountingBackend()];
    const rig = await startControlRig(1, {
      redisUrl: redis.url,
      backendPort: backend.port,
      backend: { credential: 'reusable', afterOutage: 'cut', recheckPace: PACE, breaker: BREAKER },
    });
    const gateway = rig.gateways[0]!;
    const viewers = newViewers();
    const seconds = renewals / PACE;
    const checks = (): Promise<RungReport> => firstChecks(generator, gateway, viewers, seconds);
    const come = (): Promise<void> => open(generator, gateway.port, viewers(FEW).first, FEW);
    const rechecks: Rechecks[] = [];
    const meanwhile = async (): Promise<RungReport> => {
      backend.fails();
      await turned(gateway, true, come);
      const { first } = viewers(renewals);
      await letInOnTrust(generator, gateway, first, renewals);
      await backend.calls();
      backend.well();
      await turned(gateway, false, come);
      const asked = new Set(Array.from({ length: renewals }, (_, i) => first + i));
      const calls: BackendCall[] = [];
      const untilAsked = (count: number): Promise<void> =>
        until(backend, asked, calls, count, { mayRepeat: true });
      await untilAsked(1);
      const began = performance.now();
      const [report] = await Promise.all([checks(), untilAsked(renewals)]);
      rechecks.push(rechecksOf(calls, (performance.now() - began) / 1_000));
      return report;
    };
    try {
      await checks();
      const pairs = await inTurns(Math.min(MOST_PAIRS, repetitions), meanwhile, checks);
      return {
        recheckOutage: rateFigure(rechecks, renewals),
        recheckOutageFirstChecksP99: latencyFigure(pairs),
      };
    } finally {
      await Promise.all([rig.stop(), backend.stop()]);
      await redis.stop();
    }
  });
}

/** Rejects unless the fail mode let each of them in. */
async function letInOnTrust(
  generator: Generator,
  gateway: UsherProcess,
  first: number,
  count: number,
): Promise<void> {
  const onTrust = async (): Promise<number> => (await gateway.answersBySource()).get('fail-open') ?? 0;
  const before = await onTrust();
  await open(generator, gateway.port, first, count);
  const letIn = (await onTrust()) - before;
  if (letIn < count) throw new Error(`${letIn} of ${count} viewers were let in on trust`);
}

/** Until the gateway says that the backend is suspended, or that it is no longer; others come meanwhile. */
async function turned(gateway: UsherProcess, isSuspended: boolean, come: () => Promise<void>): Promise<void> {
  const by = performance.now() + TURNS_WITHIN;
  while ((await gateway.problems()).some((problem) => problem.includes('portal')) !== isSuspended) {
    if (performance.now() > by) throw new Error(`the breaker did not turn: ${isSuspended}`);
    await come();
    await delay(100);
  }
}
