import { COLUMNS, type Column } from './outage-line.js';

/** One column of what one process counted. Played until `t`: `ms + running × (t − start) − since`. */
export interface ColumnTotals {
  sessions: number;
  /** Of those that play on. */
  running: number;
  /** Of those that play on: the sum of their beginnings, ms after the outage's start. */
  since: number;
  /** Played by what ended, ms. */
  ms: number;
}

/**
 * What one process counted in one outage: always all of it, never a difference, so that writing it twice changes
 * nothing.
 */
export interface LedgerTotals {
  readonly columns: Readonly<Record<Column, ColumnTotals>>;
  /** Answers that refused because nobody could be asked; answers, not viewers. */
  refused: number;
  /** Sessions that this process had no room to remember: they are in no column. */
  uncounted: number;
}

export function noTotals(): LedgerTotals {
  const none = (): ColumnTotals => ({ sessions: 0, running: 0, since: 0, ms: 0 });
  return { columns: { carried: none(), known: none(), onTrust: none() }, refused: 0, uncounted: 0 };
}

/** As write-ledger-4.lua keeps them: four numbers for each column, refused, uncounted. */
export function totalsText({ columns, refused, uncounted }: LedgerTotals): string {
  const numbers = COLUMNS.flatMap((name) => {
    const { sessions, running, since, ms } = columns[name];
    return [sessions, running, since, ms];
  });
  return [...numbers, refused, uncounted].map((number) => Math.round(number)).join(',');
}

/** Numbers that are missing, of another version, count nothing. */
export function readTotals(text: string): LedgerTotals {
  const numbers = text.split(',').map((part) => Number(part) || 0);
  const totals = noTotals();
  for (const [place, name] of COLUMNS.entries()) {
    const [sessions = 0, running = 0, since = 0, ms = 0] = numbers.slice(4 * place, 4 * place + 4);
    Object.assign(totals.columns[name], { sessions, running, since, ms });
  }
  totals.refused = numbers[12] ?? 0;
  totals.uncounted = numbers[13] ?? 0;
  return totals;
}

/** How long all of a column played until `until`, ms. */
export function playedIn({ ms, running, since }: ColumnTotals, start: number, until: number): number {
  return Math.max(0, ms + running * (until - start) - since);
}

export function sumOfTotals(all: Iterable<LedgerTotals>): LedgerTotals {
  const sum = noTotals();
  for (const { columns, refused, uncounted } of all) {
    for (const name of COLUMNS) {
      for (const key of ['sessions', 'running', 'since', 'ms'] as const)
        sum.columns[name][key] += columns[name][key];
    }
    sum.refused += refused;
    sum.uncounted += uncounted;
  }
  return sum;
}
