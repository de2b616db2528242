import type { Clock, Log } from '#usher/domain';
import type { Ballot, BallotBox, BreakerKeeper } from './keeper.js';
import { MemoryKeeper } from './memory-keeper.js';
import { type BreakerRecord, type Turn, UNWRITTEN, afterTime, turnsAfter } from './record.js';

export interface RecordFollowerOptions {
  readonly backend: string;
  readonly config: { readonly openFor: number; readonly rampStep: number };
  readonly clock: Clock;
  readonly log: Log;
  readonly cluster: { readonly self: { readonly id: string } };
  /** The cluster's record; without it the process is alone for ever. */
  readonly shared?: BreakerKeeper;
  readonly onChange: (now: BreakerRecord, before: BreakerRecord) => void;
  /** This process turned the cluster's record: the others must hear of it. */
  readonly onTurned: (record: BreakerRecord) => void;
}

/** One breaker's record as this process knows it: the cluster's, or while Redis is away its own. Nothing here rejects. */
export class RecordFollower {
  #record = UNWRITTEN;
  #keeper: BreakerKeeper;
  readonly #memory: MemoryKeeper;
  #due: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly options: RecordFollowerOptions) {
    this.#memory = new MemoryKeeper(options.clock, options.cluster.self.id);
    this.#keeper = options.shared ?? this.#memory;
  }

  get record(): BreakerRecord {
    return this.#record;
  }

  /** Redis is away: this process decides by itself. */
  get alone(): boolean {
    return this.#keeper === this.#memory;
  }

  /** Reads the truth and follows it; with a ballot, casts that first. Undefined: it could not be read. */
  async look(ballot?: Ballot): Promise<BallotBox | undefined> {
    const keeper = this.#keeper;
    const { epoch } = this.#record;
    const box = await this.#try(keeper.look(ballot), 'the breaker’s record could not be read');
    // Alone in the meantime, or back: that answer is about another truth.
    if (box === undefined || keeper !== this.#keeper || this.#closed) return undefined;
    // A turn was heard of in the meantime, and this answer is older.
    if (this.#record.epoch !== epoch && box.record.epoch < this.#record.epoch) return undefined;
    if (box.record.epoch === 0 && !this.alone) return await this.#offer(keeper, box);
    this.#follow(box.record);
    return box;
  }

  /** Turns the record, unless somebody was first: then looks again. */
  async turn(from: BreakerRecord, next: Turn, lease?: string): Promise<void> {
    const keeper = this.#keeper;
    const turned = await this.#try(
      keeper.turn(from.epoch, next, lease).then((record) => ({ record })),
      'a breaker could not be turned',
    );
    if (turned === undefined || keeper !== this.#keeper || this.#closed) return;
    const { record } = turned;
    if (record === undefined) return void (await this.look());
    this.hear(record);
    if (!this.alone) this.options.onTurned(record);
  }

  /** Somebody turned it. */
  hear(record: BreakerRecord): void {
    if (record.epoch > this.#record.epoch) this.#follow(record);
  }

  /** Turns what the passing of time turns. */
  async turnInTime(): Promise<void> {
    const record = this.#record;
    const after = turnsAfter(record, this.options.config);
    if (after === undefined) return;
    if (this.options.clock.now() < record.since + after) return this.#waitForTime();
    await this.turn(record, afterTime(record));
  }

  /** The one lease of a half-open breaker; false: somebody holds it, or Redis did not say. */
  async takeLease(lease: string, ms: number): Promise<boolean> {
    const taken = this.#keeper.takeLease(lease, ms);
    return (await this.#try(taken, 'the lease for a probe could not be taken')) === true;
  }

  async dropLease(lease: string): Promise<void> {
    await this.#try(this.#keeper.dropLease(lease), 'the lease for a probe could not be given back');
  }

  /** Redis went away: goes on from what was true. */
  goAlone(): void {
    if (this.alone) return;
    this.#memory.start(this.#record);
    this.#keeper = this.#memory;
  }

  /** Redis is back: its record is the truth again, from the next look on. False: it never was away. */
  rejoin(): boolean {
    const { shared } = this.options;
    if (shared === undefined || !this.alone) return false;
    this.#keeper = shared;
    return true;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#due);
  }

  /** Redis knows nothing of this backend, or forgot it: what this process remembers becomes the record. */
  async #offer(keeper: BreakerKeeper, box: BallotBox): Promise<BallotBox | undefined> {
    const offered = keeper.turn(0, this.#record).then((record) => ({ record }));
    const turned = await this.#try(offered, 'the breaker’s record could not be written');
    if (turned === undefined || keeper !== this.#keeper || this.#closed) return undefined;
    const { record } = turned;
    // Another process offered first.
    if (record === undefined) return await this.look();
    this.#follow(record);
    return { ...box, record };
  }

  #follow(record: BreakerRecord): void {
    const before = this.#record;
    if (record.epoch === before.epoch || this.#closed) return;
    this.#record = record;
    this.#waitForTime();
    this.options.onChange(record, before);
  }

  #waitForTime(): void {
    clearTimeout(this.#due);
    const after = turnsAfter(this.#record, this.options.config);
    if (after === undefined) return;
    const left = Math.max(0, this.#record.since + after - this.options.clock.now());
    this.#due = setTimeout(() => void this.turnInTime(), Math.ceil(left));
    this.#due.unref();
  }

  async #try<T>(reply: Promise<T>, otherwise: string): Promise<T | undefined> {
    try {
      return await reply;
    } catch (error) {
      this.options.log.debug({ backend: this.options.backend, err: error }, otherwise);
      return undefined;
    }
  }
}
