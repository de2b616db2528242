import type { Clock } from '#usher/domain';
import type { Ballot, BallotBox, BreakerKeeper } from './keeper.js';
import { type BreakerRecord, type Turn, UNWRITTEN } from './record.js';

/** Keeps the record for this process alone. */
export class MemoryKeeper implements BreakerKeeper {
  #record = UNWRITTEN;
  #lease: { readonly name: string; readonly until: number } | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly node: string,
  ) {}

  /** Goes on from what was true before this process was alone. */
  start(record: BreakerRecord): void {
    this.#record = record;
    this.#lease = undefined;
  }

  look(ballot?: Ballot): Promise<BallotBox> {
    return Promise.resolve({ record: this.#record, ballots: ballot === undefined ? [] : [ballot] });
  }

  turn(from: number, next: Turn, lease?: string): Promise<BreakerRecord | undefined> {
    const before = this.#record;
    if (before.epoch !== from || (lease !== undefined && !this.#holds(lease)))
      return Promise.resolve(undefined);
    const now = this.clock.now();
    this.#lease = undefined;
    this.#record = {
      ...next,
      epoch: Math.max(before.epoch + 1, Math.floor(now)),
      since: now,
      downSince: next.state === 'closed' ? 0 : before.downSince || now,
      by: this.node,
    };
    return Promise.resolve(this.#record);
  }

  takeLease(lease: string, ms: number): Promise<boolean> {
    const now = this.clock.monotonic();
    if (this.#lease !== undefined && this.#lease.until > now) return Promise.resolve(false);
    this.#lease = { name: lease, until: now + ms };
    return Promise.resolve(true);
  }

  dropLease(lease: string): Promise<void> {
    if (this.#lease?.name === lease) this.#lease = undefined;
    return Promise.resolve();
  }

  #holds(lease: string): boolean {
    return this.#lease?.name === lease && this.#lease.until > this.clock.monotonic();
  }
}
