import type { Clock, Log, Random } from '#usher/domain';
import { ThrottledLog } from '#usher/observe';
import type { RedisSettings } from '#usher/redis';
import { BullQueue, PREFIX, removeQueue } from './bull-queue.js';
import type { JobDefinition, JobQueue } from './job-queue.js';
import { openQueueConnections, type QueueConnections } from './queue-connections.js';

/** Sorted set: the queues by when a process had them open. */
const OPENED = `${PREFIX}:queues`;
/** A queue that no process had open for so long is removed with all that is in it, ms. */
const FORGOTTEN_AFTER = 30 * 86_400_000;
const LOOK_EVERY = 3_600_000;
/** Jobs under way get so long to end when the process does, ms. */
const END_WITHIN = 8_000;

export interface QueuesParts {
  readonly redis: RedisSettings;
  /** Names this process. */
  readonly id: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** See BullQueueParts. */
  readonly lock?: number;
}

/**
 * Job queues for what may wait (BullMQ, prefix `{usher}`), on connections of their own. All controls share the work: a job
 * is done by one of them, and by another one if that dies. Redis may be away at any time, at the start too.
 */
export class Queues {
  readonly #connections: QueueConnections;
  readonly #queues = new Map<string, BullQueue<never>>();
  readonly #ending = new AbortController();
  readonly #log: ThrottledLog;
  readonly #look: NodeJS.Timeout;

  constructor(private readonly parts: QueuesParts) {
    this.#connections = openQueueConnections(parts.redis, parts.id);
    this.#log = new ThrottledLog(parts.log, parts.clock);
    this.#look = setInterval(() => void this.#lookAfter(), LOOK_EVERY).unref();
    this.#connections.adding.on('ready', () => void this.#lookAfter());
  }

  /** Begins to work on a queue's jobs. Throws where the name is taken or the definition is wrong. */
  open<Data>(definition: JobDefinition<Data>): JobQueue<Data> {
    const { name } = definition;
    if (this.#queues.has(name)) throw new Error(`queue ${name} is open already`);
    const queue = new BullQueue<Data>(definition, {
      connections: this.#connections,
      random: this.parts.random,
      ending: this.#ending.signal,
      onError: (error) => this.#disturbed(name, error),
      ...(this.parts.lock === undefined ? {} : { lock: this.parts.lock }),
    });
    this.#queues.set(name, queue as unknown as BullQueue<never>);
    if (this.#connections.adding.status === 'ready') void this.#lookAfter();
    return queue;
  }

  /** Takes no more jobs, lets those under way end, and leaves the rest to other processes. */
  async close(): Promise<void> {
    clearInterval(this.#look);
    this.#ending.abort(new Error('this process ends'));
    await Promise.all(Array.from(this.#queues.values(), (queue) => queue.close(END_WITHIN)));
    this.#connections.close();
  }

  /** Says again what is repeated, and removes queues that nobody has any more. Never rejects: the next look does it. */
  async #lookAfter(): Promise<void> {
    const { adding } = this.#connections;
    try {
      const now = Date.now();
      const names = [...this.#queues.keys()];
      if (names.length > 0) await adding.zadd(OPENED, ...names.flatMap((name) => [now, name]));
      for (const name of await adding.zrangebyscore(OPENED, '-inf', now - FORGOTTEN_AFTER)) {
        await removeQueue(name, this.#connections);
        await adding.zrem(OPENED, name);
        this.parts.log.info({ queue: name }, 'a queue that nobody had open for 30 days was removed');
      }
      for (const queue of this.#queues.values()) await queue.restore();
    } catch (error) {
      this.#disturbed('', error instanceof Error ? error : new Error(String(error)));
    }
  }

  #disturbed(queue: string, { message }: Error): void {
    if (!this.#ending.signal.aborted)
      this.#log.warn(queue, { queue, why: message }, 'a queue’s work is disturbed');
  }
}
