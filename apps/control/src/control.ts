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
import type { ControlNode } from './control-node.js';
import { outageJob } from './outages/outages.js';
import { ControlEvents, ControlQueues } from './events/control-events.js';
import { readEventMetrics } from './events/event-metrics.js';
import { limitsJob, listJob, sweepJob } from './jobs.js';
import { LimitsJob } from './limits-job.js';

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

/** The jobs, started and stopped with the application. */
class Jobs implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    readonly lists: ListJob,
    readonly sweep: SweepJob,
    readonly limits: LimitsJob,
  ) {}

  onApplicationBootstrap(): void {
    this.lists.start();
    this.sweep.start();
    this.limits.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.lists.stop(), this.sweep.stop(), this.limits.stop()]);
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
          provide: ControlEvents,
          useFactory: (queues: ControlQueues) => new ControlEvents(node, queues),
          inject: [ControlQueues],
        },
        { provide: LimitsJob, useFactory: () => limitsJob(node) },
        {
          provide: Jobs,
          useFactory: (lists: ListJob, sweep: SweepJob, limits: LimitsJob) => new Jobs(lists, sweep, limits),
          inject: [ListJob, SweepJob, LimitsJob],
        },
      ],
    };
  }
}

/**
 * Runs the jobs of the cluster (session lists of edges, the sweep, events to webhooks) and the admin API. Starts without Redis and without
 * any edge. Rejects where the API's port or token cannot be had.
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
  const api = await startApi(node).catch(async (error: unknown) => {
    await app.close();
    throw error;
  });
  const outages = outageJob(node);
  outages.start();
  const { counts } = app.get(LimitsJob);
  metrics.read(METRICS.limitSurplus, () =>
    Object.entries(counts).map(([mode, value]) => ({ value, labels: { mode } })),
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
