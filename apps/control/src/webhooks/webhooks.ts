import type { WebhookConfig } from '#usher/config';
import type { Clock, Log, Random } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { LifecycleEvent } from '#usher/sessions';
import { doubled } from '../queues/backoff.js';
import type { JobQueue } from '../queues/job-queue.js';
import type { Queues } from '../queues/queues.js';
import { Courier, DeliveryError, type CourierCounts } from './courier.js';
import { DeadLetters, type DeadLetter, type DeadLetterPage, type DeadLetterQuery } from './dead-letters.js';
import { AGAIN, Outbox } from './outbox.js';
import { receiverOf, type Receiver } from './receiver.js';
import { ReceiverState, type ReceiverStatus } from './receiver-state.js';

const LOOK_EVERY = 5_000;
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 600_000;
/** A lane is tried until its events are too old. */
const FOR_EVER = 1_000_000;
/** A receiver that took nothing for so long since it failed is worth a word, ms. */
const FAILING = 60_000;
/** Dead letters that are sent again by one call. */
const SENT_TOGETHER = 500;

export interface WebhooksParts {
  readonly configs: readonly WebhookConfig[];
  readonly shards: readonly string[];
  readonly queues: Queues;
  readonly redis: RedisClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Before a failed delivery is tried again the first time, ms; then twice that … Default 1,000. */
  readonly firstWait?: number;
  /** What waits is looked for so often, ms: most deliveries begin at once, by their event. Default 5,000. */
  readonly lookEvery?: number;
  /** See CourierParts. */
  readonly chokesFor?: number;
}

/** A receiver as people see it. */
export interface WebhookStatus extends ReceiverStatus {
  readonly name: string;
  /** Events that wait for it. */
  readonly waiting: number;
  /** Since when something that waits cannot be delivered, cluster time, ms; 0: nothing is stuck. */
  readonly failingSince: number;
}

/**
 * Why a dead letter is not sent again: there is none of that id (any more); its webhook is no longer configured; its
 * receiver is gone (410); so many are on their way again that another one would push the oldest out.
 */
export type NotSent = 'unknown' | 'no-receiver' | 'gone' | 'full';

/** What is there for a lane's job. */
interface Lane {
  readonly lane: string;
}

interface Desk {
  readonly receiver: Receiver;
  readonly outbox: Outbox;
  readonly state: ReceiverState;
  readonly courier: Courier;
  readonly queue: JobQueue<Lane>;
  waiting: number;
  failingSince: number;
  status: ReceiverStatus;
}

const UNKNOWN: ReceiverStatus = { gone: false, deliveredAt: 0, failedAt: 0, why: '' };

/**
 * Delivers lifecycle events to those who want them. Events wait in an outbox for each receiver and shard; a job for each
 * that is not empty delivers it, one at a time in the whole cluster, each receiver in a queue of its own.
 */
export class Webhooks {
  readonly #desks = new Map<string, Desk>();
  readonly #deadLetters: DeadLetters;
  readonly #lanes: readonly string[];
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(private readonly parts: WebhooksParts) {
    this.#deadLetters = new DeadLetters(parts.redis, parts.clock);
    this.#lanes = [...parts.shards, AGAIN];
    for (const config of parts.configs) this.#desks.set(config.name, this.#desk(receiverOf(config)));
  }

  start(): void {
    if (this.#desks.size === 0) return;
    this.#timer ??= setInterval(() => this.#lookSoon(), this.parts.lookEvery ?? LOOK_EVERY).unref();
    this.#lookSoon();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Takes events of one shard over, in their order; taken twice they are delivered once. Rejects as Redis does. */
  async take(shard: string, events: readonly LifecycleEvent[]): Promise<void> {
    await Promise.all(Array.from(this.#desks.values(), (desk) => this.#put(desk, shard, events)));
  }

  /** Events that were given up, the newest first. Rejects with InvalidDeadLetterError, or as Redis does. */
  listDeadLetters(query?: DeadLetterQuery): Promise<DeadLetterPage> {
    return this.#deadLetters.list(query);
  }

  /** Sends a dead letter once more. Rejects with InvalidDeadLetterError, or as Redis does. */
  async sendAgain(id: string): Promise<'sent' | NotSent> {
    const letter = await this.#deadLetters.find(id);
    if (letter === undefined) return 'unknown';
    const desk = await this.#ready(letter.receiver);
    if (typeof desk === 'string') return desk;
    await this.#putAgain(desk, [letter]);
    return 'sent';
  }

  /**
   * Sends a receiver's dead letters once more, the oldest first, as many as may wait there, 500 at most. Returns how many.
   * Rejects as Redis does; what was sent by then is sent.
   */
  async sendAllAgain(name: string): Promise<number | NotSent> {
    const desk = await this.#ready(name);
    if (typeof desk === 'string') return desk;
    const room = await desk.outbox.room(AGAIN);
    const letters = await this.#deadLetters.oldest(name, Math.min(room, SENT_TOGETHER));
    await this.#putAgain(desk, letters);
    return letters.length;
  }

  /** A receiver that was gone (410) gets events again. Returns false where there is no such receiver. Rejects as Redis does. */
  async welcomeBack(name: string): Promise<boolean> {
    const desk = this.#desks.get(name);
    if (desk === undefined) return false;
    await desk.state.welcomeBack();
    // Other processes see it with their next look.
    desk.status = { ...desk.status, gone: false };
    return true;
  }

  /** As of the last look. */
  statuses(): WebhookStatus[] {
    return Array.from(this.#desks.values(), ({ receiver: { name }, waiting, failingSince, status }) => ({
      name,
      waiting,
      failingSince,
      ...status,
    }));
  }

  /** What is wrong, for people. */
  problems(): string[] {
    return this.statuses().flatMap(({ name, gone, failedAt, deliveredAt, why, waiting }) => {
      if (gone) return [`webhook ${name}: its receiver is gone (410)`];
      const isFailing =
        waiting > 0 && failedAt > deliveredAt && this.parts.clock.now() - deliveredAt > FAILING;
      return isFailing ? [`webhook ${name}: ${why}; ${waiting} events wait`] : [];
    });
  }

  /** By receiver, of this process. */
  counts(): ReadonlyMap<string, CourierCounts> {
    return new Map(Array.from(this.#desks, ([name, { courier }]) => [name, courier.counts]));
  }

  deadLetterCount(): Promise<number> {
    return this.#deadLetters.count();
  }

  /** The desk of a receiver that takes something again now, else why not. */
  async #ready(name: string): Promise<Desk | NotSent> {
    const desk = this.#desks.get(name);
    if (desk === undefined) return 'no-receiver';
    if ((await desk.state.status()).gone) return 'gone';
    return (await desk.outbox.room(AGAIN)) > 0 ? desk : 'full';
  }

  /** What is told twice is sent twice: nothing is lost in between. */
  async #putAgain(desk: Desk, letters: readonly DeadLetter[]): Promise<void> {
    for (const { id, event } of letters) {
      await desk.outbox.putAgain(JSON.stringify(event));
      await this.#deadLetters.remove(id);
    }
    if (letters.length > 0) await this.#begin(desk, AGAIN);
  }

  #desk(receiver: Receiver): Desk {
    const { queues, redis, clock, log, chokesFor } = this.parts;
    const outbox = new Outbox(redis, receiver.name, receiver.backlog, this.#lanes.length);
    const state = new ReceiverState(redis, clock, receiver);
    const courier = new Courier({
      receiver,
      outbox,
      state,
      deadLetters: this.#deadLetters,
      clock,
      log,
      ...(chokesFor === undefined ? {} : { chokesFor }),
    });
    const queue = queues.open<Lane>({
      name: `webhook-${receiver.name}`,
      concurrency: receiver.concurrency,
      attempts: FOR_EVER,
      failed: { age: 0, count: 0 },
      backoff: (attempt, error) => this.#wait(attempt, error),
      work: ({ data }, signal) => courier.run(data.lane, signal),
      // What came while the lane's last delivery was under way found its job still there.
      onEnd: ({ data }) => void this.#beginIfNeeded(desk, data.lane),
    });
    const desk: Desk = {
      receiver,
      outbox,
      state,
      courier,
      queue,
      waiting: 0,
      failingSince: 0,
      status: UNKNOWN,
    };
    return desk;
  }

  async #put(desk: Desk, shard: string, events: readonly LifecycleEvent[]): Promise<void> {
    const { receiver, outbox, courier, status } = desk;
    const wanted = events.filter(({ type }) => receiver.wants(type));
    if (wanted.length === 0) return;
    if (status.gone) {
      courier.counts.events.dropped += wanted.length;
      return;
    }
    const dropped = await outbox.put(shard, wanted);
    courier.counts.events.dropped += dropped;
    if (dropped > 0) {
      const fields = { receiver: receiver.name, events: dropped };
      this.parts.log.error(fields, 'too many events wait for a webhook’s receiver: the oldest were dropped');
    }
    void this.#begin(desk, shard);
  }

  /** One job for each lane; where there is one, it does it. Where it cannot be added now, the next look does. */
  async #begin({ queue, receiver }: Desk, lane: string): Promise<void> {
    await queue.add({ lane }, { id: jobOf(lane) }).catch((error: unknown) => {
      this.parts.log.debug({ error, receiver: receiver.name }, 'a delivery could not be begun yet');
    });
  }

  async #beginIfNeeded(desk: Desk, lane: string): Promise<void> {
    try {
      if ((await desk.outbox.length(lane)) > 0) await this.#begin(desk, lane);
    } catch {
      // The next look does it.
    }
  }

  /** By the event that is first in the lane: a lane that goes on between failures waits no longer each time. */
  #wait(attempt: number, error: Error): number {
    const { random, firstWait = FIRST_WAIT } = this.parts;
    const { tries, retryAfter } = error instanceof DeliveryError ? error : { tries: attempt, retryAfter: 0 };
    return Math.max(doubled(tries, firstWait, LONGEST_WAIT) * (0.5 + random() / 2), retryAfter);
  }

  #lookSoon(): void {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    if (this.parts.redis.away) return;
    try {
      await Promise.all(Array.from(this.#desks.values(), (desk) => this.#lookAt(desk)));
    } catch (error) {
      this.parts.log.debug({ error }, 'what waits for webhooks could not be looked at');
    }
  }

  async #lookAt(desk: Desk): Promise<void> {
    const { deliveredAt } = desk.status;
    desk.status = await desk.state.status();
    const lengths = await Promise.all(this.#lanes.map((lane) => desk.outbox.length(lane)));
    const waiting = this.#lanes.filter((_, at) => lengths[at]! > 0);
    desk.failingSince = await desk.state.failingSince(waiting);
    desk.waiting = lengths.reduce((sum, length) => sum + length, 0);
    // It takes something again: lanes that had failed too often to be tried soon need not wait.
    const isBack = desk.status.deliveredAt > deliveredAt;
    for (const lane of waiting) {
      await this.#begin(desk, lane);
      if (isBack) await desk.queue.promote(jobOf(lane));
    }
  }
}

const jobOf = (lane: string): string => `lane-${lane}`;
