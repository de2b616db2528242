import type { Ballot, BallotBox } from './keeper.js';
import type { BreakerRecord } from './record.js';
import { isAgainst, tally } from './tally.js';

/** What a jury needs of the breaker whose votes it counts. */
export interface Court {
  /** This process's vote; undefined while it has no opinion. */
  ballot(): Ballot | undefined;
  /** Casts it and reads all; undefined where that failed. */
  cast(ballot: Ballot): Promise<BallotBox | undefined>;
  suspend(record: BreakerRecord, rate: number): Promise<void>;
  /** The others reach the backend, this process does not. */
  isolate(): void;
  /** Asks a living process that has not voted for one call; false if there is none. */
  askAnother(voted: ReadonlySet<string>): boolean;
  /** How long a second opinion may take, ms. */
  readonly patience: number;
}

/**
 * Turns votes into a verdict. More than half of the hosts are against: suspended. With so few votes that one more would
 * decide, another process is asked first; with more, the others get the time of one call to notice what this process
 * noticed. Then, if they still disagree, this process is the broken one.
 */
export class Jury {
  #out: NodeJS.Timeout | undefined;

  constructor(private readonly court: Court) {}

  /** Votes and counts. Called when this process's opinion flips, each second, and when a vote was asked for. */
  async judge(final = false): Promise<void> {
    const { court } = this;
    const ballot = court.ballot();
    const box = ballot && (await court.cast(ballot));
    if (ballot === undefined || box === undefined) return;
    if (box.record.state !== 'closed' && box.record.state !== 'ramping') return;
    const count = tally(box.ballots);
    if (!count.failing) return;
    // A third voter could not turn two of two.
    const sure = final || count.voters > 2 || count.against === 2;
    if (sure && isAgainst(count)) return await court.suspend(box.record, count.rate);
    if (ballot.opinion !== 'failing' || this.#out !== undefined) return;
    if (final) return court.isolate();
    const asked = count.voters <= 2 && court.askAnother(new Set(box.ballots.map((vote) => vote.node)));
    if (count.voters === 1 && !asked) return await this.judge(true);
    this.#out = setTimeout(() => void this.conclude(), court.patience);
    this.#out.unref();
  }

  /** The second opinion is there, or its time is over. */
  async conclude(): Promise<void> {
    if (this.#out === undefined) return;
    this.dismiss();
    await this.judge(true);
  }

  /** Nothing is to be judged any longer. */
  dismiss(): void {
    clearTimeout(this.#out);
    this.#out = undefined;
  }
}
