import type {
  BeforeApplicationShutdown,
  OnApplicationBootstrap,
  OnApplicationShutdown,
} from '@nestjs/common';
import { EventJob, EventReader, allShards, type EventJobParts } from '#usher/sessions';
import type { ControlNode } from '../control-node.js';
import { leasesOf } from '../jobs.js';
import { Queues } from '../queues/queues.js';
import { Webhooks } from '../webhooks/webhooks.js';

/** The job queues of this process, closed after everybody who uses them has stopped. */
export class ControlQueues extends Queues implements OnApplicationShutdown {
  static of({ config, id, clock, random, log }: ControlNode): ControlQueues {
    return new ControlQueues({ redis: config.redis, id, clock, random, log });
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }
}

/** Lifecycle events on their way from the shards' streams to webhooks. */
export class ControlEvents implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly webhooks: Webhooks;
  readonly job: EventJob;

  constructor(node: ControlNode, queues: Queues, hear: NonNullable<EventJobParts['hear']>) {
    const { config, redis, registry, clock, random, log } = node;
    const shards = allShards(registry.shards);
    this.webhooks = new Webhooks({ configs: config.webhooks, shards, queues, redis, clock, random, log });
    this.job = new EventJob({
      redis,
      clock,
      log,
      shards: registry.shards,
      reader: new EventReader(redis, clock),
      leases: leasesOf(node, 'events', registry.shards),
      hear,
      take: (shard, events) => this.webhooks.take(shard, events),
    });
  }

  onApplicationBootstrap(): void {
    this.webhooks.start();
    this.job.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.job.stop();
    await this.webhooks.stop();
  }
}
