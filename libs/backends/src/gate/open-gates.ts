import type { Config } from '#usher/config';
import type { BackendAnswer, Check, Clock, Log, Random } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { Adapter } from '../adapters/adapter.js';
import { BreakerBoard } from '../breaker/breaker-board.js';
import { Breaker } from '../breaker/breaker.js';
import type { Cluster } from '../breaker/cluster.js';
import type { BreakerEvent } from '../breaker/events.js';
import { type Outcome, outcomeOf } from '../breaker/outcome.js';
import { RedisKeeper } from '../breaker/redis-keeper.js';
import type { BreakerRecord } from '../breaker/record.js';
import { BackendGate } from './backend-gate.js';
import type { GuardReport } from './guard-report.js';
import { Guard } from './guard.js';
import type { CanarySuspicion, ShareSuspicion } from './suspicion.js';

export interface GatesOptions {
  readonly config: Pick<Config, 'backends' | 'groups'>;
  /** One for each configured backend. */
  readonly adapters: readonly Pick<Adapter, 'name' | 'ask'>[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly cluster: Cluster;
  /** Where the cluster's breakers are; without it this process is alone. */
  readonly redis?: RedisClient;
  /** Tells all other processes. Never throws. */
  readonly announce: (event: BreakerEvent) => void;
  /** Makes a check fit to travel: it holds a credential. */
  readonly seal: (check: Check) => string;
  /** Undefined for what cannot be opened: sealed under a secret that this process does not have. */
  readonly unseal: (sealed: string) => Check | undefined;
  /** An operator took this backend out of use: nobody asks it. Default: none is. */
  readonly isSwitched?: (backend: string) => boolean;
  /** An answer that came after the deadline of its check: it settles the session. */
  readonly onLate: (check: Check, answer: BackendAnswer) => void;
  /** A breaker turned. An outage is over when `now.state` is closed. */
  readonly onChange: (backend: string, now: BreakerRecord, before: BreakerRecord) => void;
  /** True: this process reads none of this backend's questions until `false`. */
  readonly onIsolated: (backend: string, isolated: boolean) => void;
  /** Its answers to viewers are clean, and yet unlike it (see Guard); undefined: that is over. */
  readonly onSuspicious: (backend: string, suspicion: ShareSuspicion | undefined) => void;
  /** What a backend's canaries show, in the whole cluster. Default: nothing. */
  readonly canaries?: (backend: string) => CanarySuspicion | undefined;
  /** What the guards of all other processes tell of a backend, together. Default: nothing. */
  readonly guardsElsewhere?: (backend: string) => GuardReport | undefined;
  /** See BackendGateOptions. */
  readonly maxQueue?: number;
}

export interface Gates {
  readonly gates: ReadonlyMap<string, BackendGate>;
  readonly board: BreakerBoard;
  /** What this process' guards have to tell the others, by backend. */
  readonly reports: () => Readonly<Record<string, GuardReport>>;
}

/** Puts a gate around each adapter, and all their breakers on one board. Call `board.start()` afterwards. */
export function openGates(options: GatesOptions): Gates {
  const gates = new Map<string, BackendGate>();
  const breakers: Breaker[] = [];
  const guards = new Map<string, Guard>();
  for (const adapter of options.adapters) {
    const { name } = adapter;
    const config = configOf(name, options);
    const isSwitched = (): boolean => options.isSwitched?.(name) ?? false;
    const breaker = breakerFor(adapter, options, isSwitched, () => board.review());
    const guard = new Guard({
      backend: name,
      config: config.guard,
      clock: options.clock,
      onSuspicious: (suspicion) => options.onSuspicious(name, suspicion),
      canaries: () => options.canaries?.(name),
      elsewhere: () => options.guardsElsewhere?.(name),
    });
    guards.set(name, guard);
    breakers.push(breaker);
    gates.set(name, new BackendGate({ ...options, adapter, config, breaker, guard, isSwitched }));
  }
  const board = new BreakerBoard(breakers, { groups: options.config.groups, redis: options.redis });
  return { gates, board, reports: () => reportsOf(guards) };
}

function reportsOf(guards: ReadonlyMap<string, Guard>): Record<string, GuardReport> {
  const reports: Record<string, GuardReport> = {};
  for (const [name, guard] of guards) {
    const report = guard.report();
    if (report !== undefined) reports[name] = report;
  }
  return reports;
}

function breakerFor(
  adapter: Pick<Adapter, 'name' | 'ask'>,
  options: GatesOptions,
  isSwitched: () => boolean,
  review: () => void,
): Breaker {
  const { name } = adapter;
  const { breaker: config, timeout } = configOf(name, options);
  const { cluster, redis } = options;
  return new Breaker({
    ...options,
    backend: name,
    config,
    timeout,
    shared: redis && new RedisKeeper(redis, name, cluster.self.id),
    isSwitched,
    // Probes of its own and second opinions: neither is asked for meanwhile.
    call: async (check) => (isSwitched() ? 'none' : await callOnce(adapter, check, timeout)),
    onChange: (now, before) => {
      review();
      options.onChange(name, now, before);
    },
    onIsolated: (isolated) => options.onIsolated(name, isolated),
  });
}

function configOf(name: string, { config }: GatesOptions): Config['backends'][string] {
  const own = config.backends[name];
  if (own === undefined) throw new Error(`backends.${name}: it is not configured`);
  return own;
}

async function callOnce(adapter: Pick<Adapter, 'ask'>, check: Check, timeoutMs: number): Promise<Outcome> {
  try {
    return outcomeOf(await adapter.ask(check, { timeoutMs }));
  } catch {
    return 'none';
  }
}
