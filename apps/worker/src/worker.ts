import { StreamServer } from '#usher/bus';
import type { ClusterNode } from '#usher/node';
import { METRICS, NestLog, type HealthContribution, type Metrics } from '#usher/observe';
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CheckController, NODE } from './check.controller.js';

/** Not ready only after Redis has been away so long, ms: until then the bus may be back any moment. */
const PATIENCE = 30_000;
/** The cluster's places are divided anew so often, ms. */
const DIVIDE_EVERY = 1_000;

export interface Worker {
  readonly health: HealthContribution;
  readonly server: StreamServer;
  /** Takes no more questions, answers those that it has. */
  close(): Promise<void>;
}

@Module({})
class WorkerModule {
  static of(node: ClusterNode): DynamicModule {
    return {
      module: WorkerModule,
      controllers: [CheckController],
      providers: [{ provide: NODE, useValue: node }],
    };
  }
}

/** Consumes checks and asks the backends: one lane for each backend and group, none wider than its places. */
export async function startWorker(node: ClusterNode, metrics: Metrics): Promise<Worker> {
  const { connect, id, clock, membership, news, log } = node;
  const slots = slotsOf(node);
  const lanes = Object.fromEntries([...slots.keys()].map((lane) => [lane, slots.get(lane)!()]));
  const server = new StreamServer({ connect, id, now: () => clock.now(), membership, lanes });
  const app = await NestFactory.createMicroservice(WorkerModule.of(node), {
    strategy: server,
    logger: new NestLog(log),
    abortOnError: false,
  });
  news.on('isolated', () => pauseIsolated(server, node));
  readServer(server, metrics);
  await app.listen();
  const divide = setInterval(() => divideSlots(server, slots, lanes), DIVIDE_EVERY);
  let consumedAt = clock.monotonic();
  const consumes = (): boolean => {
    if (server.consuming) consumedAt = clock.monotonic();
    return clock.monotonic() - consumedAt < PATIENCE;
  };
  return {
    server,
    health: {
      name: 'worker',
      ready: consumes,
      degraded: () => (server.consuming ? [] : ['the bus is away: nothing is consumed']),
      details: () => ({ ...server.stats() }),
    },
    close: async () => {
      clearInterval(divide);
      await app.close();
    },
  };
}

function readServer(server: StreamServer, metrics: Metrics): void {
  metrics.read(METRICS.busServed, () => {
    const { taken, replied, failed, expired, malformed } = server.stats();
    const results = { taken, replied, failed, expired, malformed };
    return Object.entries(results).map(([result, value]) => ({ value, labels: { result } }));
  });
  metrics.read(METRICS.busLag, () =>
    Object.entries(server.stats().lag).map(([lane, value]) => ({ value, labels: { lane } })),
  );
}

type Slots = ReadonlyMap<string, () => number>;

/** A lane is as wide as its backend's places in this process; a group's as its widest member's. */
function slotsOf({ config, gates }: ClusterNode): Slots {
  const places = (backend: string): number => gates.gates.get(backend)?.status().places ?? 1;
  const slots = new Map(Object.keys(config.backends).map((name) => [name, () => places(name)]));
  for (const [name, { backends }] of Object.entries(config.groups)) {
    slots.set(name, () => Math.max(...backends.map(places)));
  }
  return slots;
}

/** What this process cannot reach others answer: it takes nothing from the lanes of an isolated backend, or of its groups. */
function pauseIsolated(server: StreamServer, { config, gates }: ClusterNode): void {
  const isIsolated = (backend: string): boolean => gates.gates.get(backend)?.isolated === true;
  const turn = (lane: string, paused: boolean): void => (paused ? server.pause(lane) : server.resume(lane));
  for (const name of Object.keys(config.backends)) turn(name, isIsolated(name));
  for (const [name, { backends }] of Object.entries(config.groups)) turn(name, backends.some(isIsolated));
}

/** Others came or went. Only a change is told: each wakes the reader. */
function divideSlots(server: StreamServer, slots: Slots, divided: Record<string, number>): void {
  for (const [lane, count] of slots) {
    const now = count();
    if (divided[lane] !== now) server.setSlots(lane, (divided[lane] = now));
  }
}
