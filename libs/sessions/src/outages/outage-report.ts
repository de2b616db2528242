import type { Clock } from '#usher/domain';
import { InvalidCursorError } from '../listing/list-position.js';
import { playedIn, sumOfTotals, type LedgerTotals } from './ledger-totals.js';
import { COLUMNS, RESULTS, playedUntil } from './outage-line.js';
import type { Column, OutageFault, OutageLine, OutageResult } from './outage-line.js';
import { columnOf, outageId, readOutageId, type OutageName } from './outage-names.js';
import { isLineCursor, type LedgerNode, type OutageRecord, type OutageStore } from './outage-store.js';
import { CSV_HEAD, csvOf, minutes, reportLine, type ReportLine } from './report-line.js';

/** More than are kept of one backend. */
const ALL = 1_000;
/** One page of lines asks no more often. */
const CALLS = 20;

/** One column. Never summed with another: only `onTrust` is free. */
export interface ReportColumn {
  /** Sessions let in, each once. */
  readonly sessions: number;
  /** Played from being let in until the session ended, was decided, or the outage was over. */
  readonly viewerMinutes: number;
}

/** A process whose part is not all here: what it did not send between the two times (cluster time, ms) is lost. */
export interface Incomplete {
  readonly node: string;
  readonly from: number;
  readonly to: number;
}

/** An outage in short. Instants are cluster time, ms. */
export interface OutageSummary {
  readonly id: string;
  readonly backend: string;
  /** `us`: the backend was well, and we could not ask it in time. */
  readonly fault: OutageFault;
  readonly start: number;
  /** Undefined while it lasts. */
  readonly end: number | undefined;
  /** When it was found out what became of everybody; undefined: not yet. */
  readonly settledAt: number | undefined;
  /** A breaker saw it: the backend was suspended. */
  readonly suspended: boolean;
  readonly columns: Readonly<Record<Column, ReportColumn>>;
  /** Answers (not viewers) that refused because nobody could be asked. */
  readonly refusals: number;
  readonly incomplete: readonly Incomplete[];
  /** Since when letting in on trust was ended, and by what; undefined: it was not. */
  readonly trustEnded: { readonly at: number; readonly limit: 'maxOutage' | 'failOpenBudget' } | undefined;
}

export interface OutageReport extends OutageSummary {
  /** Sessions with a line of their own; the totals go on beyond. */
  readonly lines: number;
  /** Counted without a line: there were too many, or the lines were given up for those of newer outages. */
  readonly withoutLine: number;
  /** Sessions that a process had no room to count at all: the totals are at least what they say. */
  readonly uncounted: number;
  /** Different viewers among the lines: by user, else by viewer key. */
  readonly viewers: Readonly<Record<Column, number>>;
  /** The part of the minutes that rests on an assumption: nobody would have told of the end of these. Only of lines. */
  readonly estimated: Readonly<Record<Column, ReportColumn>>;
  /** What became of those who have a line. */
  readonly results: Readonly<Record<Column, Readonly<Partial<Record<OutageResult, number>>>>>;
  /** Why asking again was given up; undefined: it was not. */
  readonly cutStopped: string | undefined;
}

/** Which outages. */
export interface OutageQuery {
  readonly backends: readonly string[];
  /** True: those that last; false: those that are over. */
  readonly running?: boolean | undefined;
  /** 1 or more; at most so many on a page. */
  readonly limit: number;
  /** `cursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface OutagePage {
  /** The newest first. */
  readonly outages: readonly OutageSummary[];
  /** Of the next page; undefined on the last one. */
  readonly cursor: string | undefined;
}

/** Which sessions of an outage. */
export interface ReportLineQuery {
  readonly column?: Column | undefined;
  readonly result?: OutageResult | undefined;
  /** 1 or more; about so many on a page. */
  readonly limit: number;
  /** `cursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface ReportLinePage {
  /** In no order. One may stand on two pages. */
  readonly lines: readonly ReportLine[];
  /** Of the next page; undefined on the last one. */
  readonly cursor: string | undefined;
}

/** The reports of outages, as operators read them. Every method rejects while Redis is away or late. */
export class OutageReports {
  constructor(
    private readonly store: OutageStore,
    private readonly clock: Clock,
  ) {}

  /** These backends, and all others that have outages: a backend that was renamed or removed owes its report still. */
  async backends(configured: readonly string[]): Promise<string[]> {
    return [...new Set([...configured, ...(await this.store.backends())])];
  }

  /** The newest first, of these backends. */
  async list(backends: readonly string[], limit = 50): Promise<OutageSummary[]> {
    const names = await Promise.all(backends.map((backend) => this.store.names(backend, limit)));
    const newest = names.flat().sort((a, b) => startOf(b) - startOf(a));
    const found = await Promise.all(newest.slice(0, limit).map((name) => this.#summary(name)));
    return found.flatMap((one) => (one === undefined ? [] : [one.summary]));
  }

  /** As many pages as there are; one may be short, or empty. Rejects with InvalidCursorError, or as Redis does. */
  async page({ backends, running, limit, cursor }: OutageQuery): Promise<OutagePage> {
    const after = cursor === undefined ? undefined : readOutageId(cursor);
    if (cursor !== undefined && after === undefined) throw new InvalidCursorError('no outage is named so');
    const names = await Promise.all(backends.map((backend) => this.#names(backend, running)));
    const rest = names
      .flat()
      .filter((name) => after === undefined || newestFirst(after, name) < 0)
      .sort(newestFirst);
    const shown = rest.slice(0, limit);
    const found = await Promise.all(shown.map((name) => this.#summary(name)));
    const outages = found.flatMap((one) => (one === undefined ? [] : [one.summary]));
    const last = shown.at(-1);
    return {
      // It may have ended meanwhile.
      outages: outages.filter(({ end }) => (running ?? end === undefined) === (end === undefined)),
      cursor: last === undefined || rest.length <= limit ? undefined : outageId(last),
    };
  }

  /** Undefined where there is no such outage (any more). */
  async report(id: string): Promise<OutageReport | undefined> {
    const name = readOutageId(id);
    const found = name && (await this.#summary(name));
    if (name === undefined || found === undefined) return undefined;
    const { summary, totals } = found;
    const until = summary.end ?? this.clock.now();
    const tally = new LineTally(until);
    for await (const line of this.store.lines(name)) tally.add(line);
    const sessions = COLUMNS.reduce((sum, column) => sum + totals.columns[column].sessions, 0);
    return {
      ...summary,
      lines: tally.lines,
      withoutLine: Math.max(0, sessions - tally.lines),
      uncounted: totals.uncounted,
      viewers: eachColumn((column) => tally.viewers[column].size),
      estimated: eachColumn((column) => ({
        sessions: tally.estimated[column].sessions,
        viewerMinutes: minutes(tally.estimated[column].ms),
      })),
      results: tally.results,
      cutStopped: found.record.marks.get('cutStopped'),
    };
  }

  /**
   * The sessions that have a line; undefined where there is no such outage (any more). A page may be short, or empty,
   * with more to come. Rejects with InvalidCursorError, or as Redis does.
   */
  async lines(id: string, query: ReportLineQuery): Promise<ReportLinePage | undefined> {
    const { column, result, limit } = query;
    let cursor = query.cursor ?? '0';
    if (!isLineCursor(cursor)) throw new InvalidCursorError('no page of lines begins there');
    const name = readOutageId(id);
    const record = name && (await this.store.record(name));
    if (name === undefined || record === undefined) return undefined;
    // By field: one page may meet a line twice.
    const found = new Map<string, ReportLine>();
    for (let calls = 0; calls < CALLS && found.size < limit; calls += 1) {
      const page = await this.store.linePage(name, cursor, limit - found.size);
      for (const line of page.lines) {
        const of = columnOf(line.field);
        if (of === undefined || (column ?? of) !== of || (result ?? line.result) !== line.result) continue;
        found.set(line.field, reportLine(line, of, record.end, this.clock.now()));
      }
      ({ cursor } = page);
      if (cursor === '0') break;
    }
    return { lines: [...found.values()], cursor: cursor === '0' ? undefined : cursor };
  }

  /** The lines as CSV (RFC 4180), piece by piece; undefined where there is no such outage (any more). */
  async csv(id: string): Promise<AsyncGenerator<string> | undefined> {
    const name = readOutageId(id);
    const record = name && (await this.store.record(name));
    if (name === undefined || record === undefined) return undefined;
    return this.#csvOf(name, record.end, this.clock.now());
  }

  async *#csvOf(name: OutageName, end: number | undefined, now: number): AsyncGenerator<string> {
    yield CSV_HEAD;
    for await (const line of this.store.lines(name)) {
      const column = columnOf(line.field);
      if (column !== undefined) yield csvOf(reportLine(line, column, end, now), now);
    }
  }

  async #names(backend: string, running: boolean | undefined): Promise<OutageName[]> {
    const names = await this.store.names(backend, ALL);
    if (running === undefined) return names;
    const { open } = await this.store.pending(backend);
    const lasting = new Set(Array.from(open.values(), ({ tail }) => tail));
    return names.filter(({ tail }) => lasting.has(tail) === running);
  }

  async #summary(
    name: OutageName,
  ): Promise<{ summary: OutageSummary; totals: LedgerTotals; record: OutageRecord } | undefined> {
    const [record, nodes] = await Promise.all([this.store.record(name), this.store.nodes(name)]);
    if (record === undefined) return undefined;
    const totals = sumOfTotals(nodes.map((node) => node.totals));
    const { start, end, fault, downSince, settledAt } = record;
    const until = end ?? this.clock.now();
    const summary: OutageSummary = {
      id: outageId(name),
      backend: name.backend,
      fault,
      start,
      end,
      settledAt,
      suspended: downSince !== undefined,
      columns: eachColumn((column) => ({
        sessions: totals.columns[column].sessions,
        viewerMinutes: minutes(playedIn(totals.columns[column], start, until)),
      })),
      refusals: totals.refused,
      incomplete: incompleteOf(record, nodes),
      trustEnded: trustEndedBy(record),
    };
    return { summary, totals, record };
  }
}

/** What a process that was found dead did not send. */
function incompleteOf({ marks, end, settledAt }: OutageRecord, nodes: readonly LedgerNode[]): Incomplete[] {
  return nodes.flatMap(({ node, at, state }) => {
    if (state === 'done' || state === 'left') return [];
    const lostAt = Number(marks.get(`lost:${node}`) ?? Number.NaN);
    if (Number.isFinite(lostAt)) return [{ node, from: at, to: Math.max(at, lostAt) }];
    // Who lived at the end has said so.
    return settledAt === undefined || state === 'expected'
      ? []
      : [{ node, from: at, to: Math.max(at, end ?? at) }];
  });
}

function trustEndedBy({ marks }: OutageRecord): OutageSummary['trustEnded'] {
  const expired = Number(marks.get('expiredAt') ?? Number.NaN);
  if (Number.isFinite(expired)) return { at: expired, limit: 'maxOutage' };
  const spent = Number(marks.get('budgetSpentAt') ?? Number.NaN);
  return Number.isFinite(spent) ? { at: spent, limit: 'failOpenBudget' } : undefined;
}

/** What is counted by going through the lines. */
class LineTally {
  lines = 0;
  readonly viewers = eachColumn(() => new Set<string>());
  readonly estimated = eachColumn(() => ({ sessions: 0, ms: 0 }));
  readonly results = eachColumn((): Partial<Record<OutageResult, number>> => ({}));

  constructor(private readonly until: number) {}

  add(line: OutageLine): void {
    const column = columnOf(line.field);
    if (column === undefined) return;
    this.lines += 1;
    this.viewers[column].add(line.user || line.viewer);
    if (line.estimated) {
      this.estimated[column].sessions += 1;
      this.estimated[column].ms += playedUntil(line, this.until);
    }
    const { result } = line;
    if (isResult(result)) this.results[column][result] = (this.results[column][result] ?? 0) + 1;
  }
}

function eachColumn<T>(make: (column: Column) => T): Record<Column, T> {
  return { carried: make('carried'), known: make('known'), onTrust: make('onTrust') };
}

function isResult(text: string): text is OutageResult {
  return (RESULTS as readonly string[]).includes(text);
}

const startOf = ({ tail }: OutageName): number => Number(tail.replace(/^us-/, ''));

/** Those that began together by their names. */
function newestFirst(a: OutageName, b: OutageName): number {
  return startOf(b) - startOf(a) || (outageId(a) < outageId(b) ? -1 : Number(outageId(a) !== outageId(b)));
}
