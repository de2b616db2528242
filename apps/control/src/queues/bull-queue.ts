import { Queue, RedisConnection, WaitingError, Worker, type Job, type JobsOptions } from 'bullmq';
import type { Random } from '#usher/domain';
import { doubled } from './backoff.js';
import type { AddOptions, JobCounts, JobDefinition, JobQueue, WorkedJob } from './job-queue.js';
import type { QueueConnections } from './queue-connections.js';

/**
 * BullMQ is kept from asking for Redis' version: where that fails, as while Redis is away, it gives the connection up for
 * ever. It takes Redis for this one then, the least that Usher starts with; by its own, 5.0, it would wait in whole seconds.
 */
RedisConnection.minimumVersion = '7.0.0';

/** Its hash tag keeps all of a queue in one slot of a Cluster. */
export const PREFIX = '{usher}';
/** Whoever adds a job waits so long for Redis, ms. */
const PATIENCE = 2_000;
const LOCK = 15_000;
/** Of a process that died: never a reason to give a job up. */
const STALLED_TIMES = 1_000_000;
/** A worker that met an error, such as a lost connection, looks again after so long, ms. */
const LOOK_AGAIN = 1_000;
/** BullMQ's own stream of what happened to jobs: nobody reads it. */
const BULL_EVENTS = 100;
const FAILED = { age: 7 * 86_400_000, count: 1_000 };
/** What is cut off ends within this, ms. */
const CUT_WITHIN = 200;
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 600_000;

export interface BullQueueParts {
  readonly connections: QueueConnections;
  readonly random: Random;
  /** An error of BullMQ's or of a job's. */
  readonly onError: (error: Error) => void;
  /** Aborted when the process ends. */
  readonly ending: AbortSignal;
  /** A job whose process has not been heard of so long is done by another, ms; half as long later at most. Default 15,000. */
  readonly lock?: number;
}

/** One queue of BullMQ with its worker: the only file that knows BullMQ. */
export class BullQueue<Data> implements JobQueue<Data> {
  readonly #queue: Queue<Data, void, string>;
  readonly #worker: Worker<Data, void, string>;
  readonly #options: JobsOptions;
  readonly #repeats = new Map<string, { readonly every: number; readonly data: Data }>();

  constructor(
    private readonly definition: JobDefinition<Data>,
    private readonly parts: BullQueueParts,
  ) {
    const { name, attempts = 10, failed = FAILED, concurrency = 1 } = definition;
    if (!/^[\w.@-]{1,100}$/.test(name)) throw new TypeError(`queue ${name}: [A-Za-z0-9._@-], 100 at most`);
    if (!(attempts >= 1)) throw new RangeError(`queue ${name}: at least one attempt`);
    this.#options = {
      attempts,
      backoff: { type: 'usher' },
      removeOnComplete: true,
      removeOnFail: failed.count === 0 ? true : { age: Math.ceil(failed.age / 1_000), count: failed.count },
      stackTraceLimit: 0,
    };
    const { connections, lock = LOCK } = parts;
    const { adding, working } = connections;
    const shared = { prefix: PREFIX, skipVersionCheck: true };
    this.#queue = new Queue(name, {
      ...shared,
      connection: adding,
      streams: { events: { maxLen: BULL_EVENTS } },
    });
    this.#worker = new Worker(name, (job, token, signal) => this.#work(job, token, signal), {
      ...shared,
      connection: working,
      concurrency,
      lockDuration: lock,
      stalledInterval: lock / 2,
      maxStalledCount: STALLED_TIMES,
      runRetryDelay: LOOK_AGAIN,
      settings: { backoffStrategy: (attempt, _type, error) => this.#wait(attempt, error ?? new Error()) },
    });
    this.#listen();
  }

  async add(data: Data, options?: AddOptions): Promise<void> {
    await this.addAll([{ data, ...(options === undefined ? {} : { options }) }]);
  }

  async addAll(jobs: readonly { readonly data: Data; readonly options?: AddOptions }[]): Promise<void> {
    if (jobs.length === 0) return;
    const { name } = this.definition;
    const bulk = jobs.map(({ data, options }) => ({ name, data, opts: this.#optionsOf(options) }));
    await inTime(this.#queue.addBulk(bulk as never));
  }

  async repeat(id: string, every: number, data: Data): Promise<void> {
    this.#repeats.set(id, { every, data });
    await this.#putRepeat(id, every, data);
  }

  async stopRepeating(id: string): Promise<void> {
    this.#repeats.delete(id);
    await inTime(this.#queue.removeJobScheduler(id));
  }

  /** Says again what is repeated, to a Redis that may have come back empty. */
  async restore(): Promise<void> {
    for (const [id, { every, data }] of this.#repeats) await this.#putRepeat(id, every, data);
  }

  async counts(): Promise<JobCounts> {
    const {
      wait = 0,
      prioritized = 0,
      delayed = 0,
      active = 0,
      failed = 0,
    } = await inTime(this.#queue.getJobCounts('wait', 'prioritized', 'delayed', 'active', 'failed'));
    return { waiting: wait + prioritized, delayed, active, failed };
  }

  async promote(id: string): Promise<void> {
    const job = await inTime(this.#queue.getJob(id));
    // Done, or begun, in between: as good.
    await inTime(job?.promote() ?? Promise.resolve()).catch(() => undefined);
  }

  /** Ends the jobs under way (their signal is aborted already). Where Redis is away there is nothing to wait for. */
  async close(within: number): Promise<void> {
    const { working } = this.parts.connections;
    const isAway = working.status !== 'ready';
    this.#repeats.clear();
    const closed = this.#worker.close(isAway);
    const lost = new Promise((resolve) => working.once('close', resolve));
    await settled(isAway ? closed : Promise.race([closed, lost]), isAway ? CUT_WITHIN : within);
    await settled(this.#worker.getBackend().close(true), CUT_WITHIN);
    await settled(this.#queue.close(), CUT_WITHIN);
  }

  async #work(job: Job<Data, void, string>, token: string | undefined, lost?: AbortSignal): Promise<void> {
    const { ending } = this.parts;
    const signal = lost === undefined ? ending : AbortSignal.any([ending, lost]);
    try {
      signal.throwIfAborted();
      await this.definition.work(workedJob(job), signal);
    } catch (error) {
      if (!ending.aborted) throw error;
      // No failure of the job's: another process goes on with it at once.
      await job.moveToWait(token);
      throw new WaitingError();
    }
  }

  async #putRepeat(id: string, every: number, data: Data): Promise<void> {
    const job = { name: this.definition.name, data, opts: this.#options };
    await inTime(this.#queue.upsertJobScheduler(id as never, { every }, job as never));
  }

  #listen(): void {
    const { onError } = this.parts;
    const { onEnd } = this.definition;
    this.#queue.on('error', onError);
    this.#worker.on('error', onError);
    // What another worker has now is not ours to go on with.
    this.#worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) this.#worker.cancelJob(id, 'the job is no longer ours');
    });
    this.#worker.on('completed', (job) => onEnd?.(workedJob(job), undefined));
    this.#worker.on('failed', (job, error) => {
      if (job?.finishedOn !== undefined) onEnd?.(workedJob(job), error);
    });
  }

  #optionsOf({ id, delay }: AddOptions = {}): JobsOptions {
    return {
      ...this.#options,
      ...(id === undefined ? {} : { jobId: id }),
      ...(delay === undefined ? {} : { delay }),
    };
  }

  #wait(attempt: number, error: Error): number {
    const { backoff } = this.definition;
    if (backoff !== undefined) return Math.max(0, Math.round(backoff(attempt, error)));
    return Math.round(doubled(attempt, FIRST_WAIT, LONGEST_WAIT) * (0.5 + this.parts.random() / 2));
  }
}

/** Removes a queue that no process has open, with all that is in it. Rejects while Redis is away. */
export async function removeQueue(name: string, { adding }: QueueConnections): Promise<void> {
  const queue = new Queue(name, {
    prefix: PREFIX,
    skipVersionCheck: true,
    skipMetasUpdate: true,
    connection: adding,
  });
  // What rejects says so.
  queue.on('error', () => undefined);
  try {
    await inTime(queue.obliterate({ force: true }));
  } finally {
    await settled(queue.close(), CUT_WITHIN);
  }
}

function workedJob<Data>(job: Job<Data, void, string>): WorkedJob<Data> {
  return {
    id: job.id ?? '',
    data: job.data,
    failures: job.attemptsMade,
    addedAt: job.timestamp,
    update: (data) => inTime(job.updateData(data)),
  };
}

/** BullMQ waits for Redis without end. */
function inTime<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new Error(`the queues’ Redis did not answer within ${PATIENCE} ms`);
    const limit = setTimeout(reject, PATIENCE, late);
    promise.then(resolve, reject).finally(() => clearTimeout(limit));
  });
}

/** Resolves by then, whatever happens. */
function settled(promise: Promise<unknown>, within: number): Promise<void> {
  return new Promise((resolve) => {
    const limit = setTimeout(resolve, within);
    promise
      .catch(() => undefined)
      .finally(() => {
        clearTimeout(limit);
        resolve();
      });
  });
}
