import {
  Module,
  type DynamicModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { METRICS, NestLog, type HealthContribution, type Metrics } from '#usher/observe';
import { countSessions, SweepJob, ListJob } from '#usher/sessions';
import { startApi, type Api } from './api/api.js';
import { controlRoutes } from './api/control-routes.js';
import { CanaryJob } from './canaries/canary-job.js';
import { canaryJob } from './canaries/canaries.js';
import type { ControlNode } from './control-node.js';
import { afterCut, cutRevoked } from './cutting/cut-revoked.js';
import { CUTTING, openCutting, type Cutting } from './cutting/cutting.js';
import { ControlEvents, ControlQueues } from './events/control-events.js';
import { readEventMetrics } from './events/event-metrics.js';
import { outageJob } from './outages/outages.js';
import { limitsJob, listJob, sweepJob } from './jobs.js';
import { Kicks } from './kicks/kicks.js';
import { openKicks } from './kicks/open-kicks.js';
import { LimitsJob } from './limits-job.js';
import { RenewalJob } from './renewals/renewal-job.js';
import { renewalJob } from './renewals/renewals.js';
import { revoking } from './revoking.js';

export interface ControlParts {
  readonly node: ControlNode;
  readonly metrics: Metrics;
}

export interface Control {
  readonly health: HealthContribution;
  /** The admin API. */
  readonly api: Api;
  /** Ends the round under way and lets the leases go: another control takes over at once. */
  close(): Promise<void>;
}

/** Work that goes on by itself until it is stopped. */
interface Job {
  start(): void;
  /** After what is under way. */
  stop(): Promise<void>;
}

/** The jobs, started and stopped with the application. */
class Jobs implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(private readonly jobs: readonly Job[]) {}

  onApplicationBootstrap(): void {
    for (const job of this.jobs) job.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.jobs.map((job) => job.stop()));
  }
}

/** Control as a Nest module: to be composed into an application, or to run alone. */
@Module({})
export class ControlModule {
  static of(node: ControlNode): DynamicModule {
    return {
      module: ControlModule,
      providers: [
        { provide: ListJob, useFactory: () => listJob(node) },
        { provide: SweepJob, useFactory: () => sweepJob(node) },
        { provide: ControlQueues, useFactory: () => ControlQueues.of(node) },
        {
          provide: CUTTING,
          useFactory: (queues: ControlQueues) =>
            openCutting(node, queues, afterCut(node.registry, node.events)),
          inject: [ControlQueues],
        },
        {
          provide: ControlEvents,
          useFactory: (queues: ControlQueues, { job }: Cutting) =>
            new ControlEvents(node, queues, cutRevoked(job)),
          inject: [ControlQueues, CUTTING],
        },
        {
          provide: Kicks,
          useFactory: (queues: ControlQueues, cutting: Cutting) => openKicks(node, queues, cutting),
          inject: [ControlQueues, CUTTING],
        },
        { provide: RenewalJob, useFactory: () => renewalJob(node, revoking(node)) },
        { provide: LimitsJob, useFactory: () => limitsJob(node) },
        { provide: CanaryJob, useFactory: () => canaryJob(node) },
        {
          provide: Jobs,
          useFactory: (...jobs: Job[]) => new Jobs(jobs),
          inject: [ListJob, SweepJob, LimitsJob, RenewalJob, CanaryJob],
        },
      ],
    };
  }
}

/**
 * Runs the jobs of the cluster (session lists of edges, the sweep, events to webhooks, cutting, renewals, outages) and
 * the admin API. Starts without Redis and without any edge. Rejects where the API's port or token cannot be had.
 */
export async function startControl({ node, metrics }: ControlParts): Promise<Control> {
  const app = await NestFactory.createApplicationContext(ControlModule.of(node), {
    logger: new NestLog(node.log),
    abortOnError: false,
  });
  const lists = app.get(ListJob);
  const sweep = app.get(SweepJob);
  const events = app.get(ControlEvents);
  readEventMetrics(events, metrics);
  const api = await startApi(node, controlRoutes(app)).catch(async (error: unknown) => {
    await app.close();
    throw error;
  });
  const outages = outageJob(
    node,
    async (...ended) => (await revoking(node)(...ended)) !== undefined,
    app.get<Cutting>(CUTTING).cutters,
  );
  outages.start();
  const { counts } = app.get(LimitsJob);
  metrics.read(METRICS.limitSurplus, () =>
    Object.entries(counts).map(([mode, value]) => ({ value, labels: { mode } })),
  );
  const canaries = app.get(CanaryJob);
  metrics.read(METRICS.canaries, () =>
    Object.entries(canaries.counts).map(([result, value]) => ({ value, labels: { result } })),
  );
  metrics.read(METRICS.sessions, async () => {
    const { presence } = await countSessions(node.redis, node.registry.shards);
    return Object.entries(presence).map(([name, value]) => ({ value, labels: { presence: name } }));
  });
  return {
    api,
    health: {
      name: 'control',
      ready: () => true,
      degraded: () => [...degradations(node, lists), ...events.webhooks.problems()],
      details: () => ({
        swept: sweep.closed,
        edges: Object.fromEntries(lists.statuses()),
        webhooks: events.webhooks.statuses(),
      }),
    },
    close: async () => {
      await Promise.all([api.close(), outages.stop()]);
      await app.close();
    },
  };
}

function degradations({ redis }: ControlNode, lists: ListJob): string[] {
  const words = redis.away ? ['Redis is away'] : [];
  for (const [edge, { trouble }] of lists.statuses()) {
    if (trouble !== '') words.push(`session list of ${edge}: ${trouble}`);
  }
  return words;
}
