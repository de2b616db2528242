import type { BreakerState, GateStatus } from '#usher/backends';
import { METRICS, type MetricRow, type Metrics } from '#usher/observe';
import type { ClusterNode } from './start-node.js';

/** Plugs in what every process has to tell. Once for each node: its roles plug in what is theirs. */
export function readNodeMetrics(node: ClusterNode, metrics: Metrics): void {
  readProcess(node, metrics);
  readBackends(node, metrics);
  readBus(node, metrics);
}

function readProcess({ id, roles, version, redis, clock }: ClusterNode, metrics: Metrics): void {
  const labels = { version, role: roles.length === 3 ? 'all' : roles.join('+'), node: id };
  metrics.read(METRICS.info, () => [{ value: 1, labels }]);
  metrics.read(METRICS.redisAway, () => [{ value: redis.away ? 1 : 0 }]);
  // The machine's own time is the point here.
  metrics.read(METRICS.clockOffset, () => [{ value: (clock.now() - Date.now()) / 1_000 }]);
}

function readBackends(node: ClusterNode, metrics: Metrics): void {
  const turns = countTurns(node);
  const statuses = (): GateStatus[] => Array.from(node.gates.gates.values(), (gate) => gate.status());
  const rows = <Label extends string>(
    label: Label,
    numbers: (status: GateStatus) => Readonly<Record<string, number>>,
  ): MetricRow<'backend' | Label>[] =>
    statuses().flatMap((status) =>
      Object.entries(numbers(status)).map(([name, value]) => ({
        value,
        labels: { backend: status.backend, [label]: name } as Record<'backend' | Label, string>,
      })),
    );
  metrics.read(METRICS.breakerState, () => rows('state', ({ state }) => ({ ...NO_TURNS, [state]: 1 })));
  metrics.read(METRICS.breakerTransitions, () => rows('to', ({ backend }) => turns.get(backend) ?? NO_TURNS));
  metrics.read(METRICS.backendCalls, () => rows('result', ({ results }) => results));
  metrics.read(METRICS.backendInFlight, () =>
    statuses().map(({ backend, inFlight }) => ({ value: inFlight, labels: { backend } })),
  );
  metrics.read(METRICS.suspicious, () =>
    statuses().map(({ backend, suspicion }) => ({
      value: suspicion === undefined ? 0 : 1,
      labels: { backend },
    })),
  );
  metrics.read(METRICS.switched, () =>
    Array.from(node.switches.all(), ({ kind, name, mode }) => {
      const isBackend = kind === 'backend';
      return { value: 1, labels: { backend: isBackend ? name : '', route: isBackend ? '' : name, mode } };
    }),
  );
  metrics.latencies(METRICS.backendDuration, node.callTimes);
}

type Turns = Record<BreakerState, number>;

const NO_TURNS: Readonly<Turns> = { closed: 0, suspended: 0, 'half-open': 0, ramping: 0 };

/** How often each breaker went to each state, as far as this process saw it. Steps of a ramp are none. */
function countTurns({ gates, news }: ClusterNode): ReadonlyMap<string, Readonly<Turns>> {
  const turns = new Map(Array.from(gates.gates.keys(), (backend) => [backend, { ...NO_TURNS }]));
  news.on('breaker', (backend, now, before) => {
    const counted = turns.get(backend);
    if (counted !== undefined && now.state !== before.state) counted[now.state] += 1;
  });
  return turns;
}

function readBus({ bus }: ClusterNode, metrics: Metrics): void {
  metrics.read(METRICS.busAsked, () => {
    const { sent, answered, failed, full, away, cancelled, late } = bus.stats();
    return byResult({ sent, answered, failed, full, away, cancelled, late });
  });
  metrics.read(METRICS.busTimeouts, () => {
    const { notTaken, silent } = bus.stats();
    return [
      { value: notTaken, labels: { kind: 'not-taken' } },
      { value: silent, labels: { kind: 'silent' } },
    ];
  });
  metrics.read(METRICS.busGaps, () => [{ value: bus.stats().gaps }]);
}

function byResult(counts: Readonly<Record<string, number>>): MetricRow<'result'>[] {
  return Object.entries(counts).map(([result, value]) => ({ value, labels: { result } }));
}
