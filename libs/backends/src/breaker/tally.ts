import type { Ballot } from './keeper.js';

export interface Tally {
  /** Hosts with an opinion. */
  readonly voters: number;
  /** Hosts of which more than half of the processes that voted voted against. */
  readonly against: number;
  /** Somebody's failures suffice by the breaker's own measures: without that votes lead to nothing. */
  readonly failing: boolean;
  /** Calls a second of all who voted. */
  readonly rate: number;
}

/** Counts hosts, one vote each: many processes on one machine with a broken network are one voice. */
export function tally(ballots: readonly Ballot[]): Tally {
  const balance = new Map<string, number>();
  let failing = false;
  let rate = 0;
  for (const { host, opinion, rate: own } of ballots) {
    balance.set(host, (balance.get(host) ?? 0) + (opinion === 'good' ? -1 : 1));
    failing ||= opinion === 'failing';
    rate += own;
  }
  let against = 0;
  for (const sum of balance.values()) if (sum > 0) against += 1;
  return { voters: balance.size, against, failing, rate };
}

/** More than half. A tie is not. */
export function isAgainst({ voters, against }: Tally): boolean {
  return against * 2 > voters;
}
