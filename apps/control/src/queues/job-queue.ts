/** What a queue's jobs are, and how they are done. */
export interface JobDefinition<Data> {
  /** Part of the keys' names: [A-Za-z0-9._@-], the same in all processes. */
  readonly name: string;
  /**
   * Does one job, at least once: a job whose process died is done again by another. What it throws makes the job wait and
   * be tried again. `signal` is aborted when the process ends or the job is no longer ours: stop soon then, by an error.
   */
  readonly work: (job: WorkedJob<Data>, signal: AbortSignal) => Promise<void>;
  /** Jobs of this queue at once in this process. Default 1. */
  readonly concurrency?: number;
  /** A job is tried so often before it is a failed one. Default 10. */
  readonly attempts?: number;
  /** Wait before the next try, ms; `attempt` is 1 after the first. Default: 1 s, doubled up to 10 min, with jitter. */
  readonly backoff?: (attempt: number, error: Error) => number;
  /** Failed jobs are kept for people so long, ms, and no more than so many. Default 7 days, 1,000. */
  readonly failed?: { readonly age: number; readonly count: number };
  /** A job was done, or has failed for the last time. Never throws. */
  readonly onEnd?: (job: WorkedJob<Data>, failure: Error | undefined) => void;
}

/** One job as its worker sees it. */
export interface WorkedJob<Data> {
  readonly id: string;
  readonly data: Data;
  /** Tries that have failed before this one. */
  readonly failures: number;
  /** When it was added, ms since 1970, by the clock of who added it. */
  readonly addedAt: number;
  /** Its next try is given this, also by another process. Rejects while Redis is away. */
  readonly update: (data: Data) => Promise<void>;
}

export interface AddOptions {
  /** While a job with this id waits or is worked on, adding another one does nothing. Default: an id of its own. */
  readonly id?: string;
  /** To be done so much later, ms. */
  readonly delay?: number;
}

/**
 * Jobs that wait in Redis until some control does them. Every method rejects within 2 s while Redis is away; what it
 * rejected may come about later all the same, so give jobs ids and make them repeatable.
 */
export interface JobQueue<Data> {
  add(data: Data, options?: AddOptions): Promise<void>;
  addAll(jobs: readonly { readonly data: Data; readonly options?: AddOptions }[]): Promise<void>;
  /**
   * Adds such a job each `every` ms, one for the whole cluster, and again where Redis came back empty. Said again it
   * changes the one that is there. Where it rejects, it is made up for as soon as Redis is there.
   */
  repeat(id: string, every: number, data: Data): Promise<void>;
  stopRepeating(id: string): Promise<void>;
  counts(): Promise<JobCounts>;
  /** The next try of jobs that wait for one is now. */
  promote(id: string): Promise<void>;
}

export interface JobCounts {
  /** To be done now. */
  readonly waiting: number;
  /** To be done later, or tried again. */
  readonly delayed: number;
  readonly active: number;
  readonly failed: number;
}
