import { DIALECT_NAMES, type DialectName, type Source } from '#usher/domain';
import { METRICS } from './catalogue.js';
import type { Latency } from './latency.js';
import type { Metrics, MetricRow } from './metrics.js';

const DIALECTS = Object.fromEntries(DIALECT_NAMES.map((name, at) => [name, at])) as Readonly<
  Record<DialectName, number>
>;
/** Complete by type: a new rung without a place here does not compile. */
const SOURCES: Readonly<Record<Source, number>> = {
  hold: 0,
  rule: 1,
  cache: 2,
  session: 3,
  backend: 4,
  direct: 5,
  stale: 6,
  known: 7,
  'fail-open': 8,
  'fail-closed': 9,
  overload: 10,
};
/** Of so many answers from memory the last one is timed. */
const TIMED_OF = 64;
const SOURCE_NAMES = Object.keys(SOURCES) as Source[];

/** What a gateway counts for every check: plain numbers, read at scrape. */
export class CheckMetrics {
  readonly #counts = new Float64Array(DIALECT_NAMES.length * SOURCE_NAMES.length * 2);
  readonly #durations: readonly Latency[];
  #hits = 0;
  #misses = 0;

  constructor(metrics: Metrics) {
    const durations = metrics.latencies(METRICS.checkDuration);
    this.#durations = SOURCE_NAMES.map((source) => durations.of(source));
    metrics.read(METRICS.checks, () => this.#rows());
    metrics.read(METRICS.cacheLookups, () => [
      { value: this.#hits, labels: { result: 'hit' } },
      { value: this.#misses, labels: { result: 'miss' } },
    ]);
  }

  /** One answered check. */
  count(dialect: DialectName, allow: boolean, source: Source): void {
    this.#counts[place(dialect, SOURCES[source], allow)]! += 1;
  }

  /** The latency of the rung that answered. */
  rung(source: Source): Latency {
    return this.#durations[SOURCES[source]]!;
  }

  /** The decision cache knew the answer. */
  hit(): void {
    this.#hits += 1;
  }

  /** The next answer from memory is to be timed: one of many, for a look at the clock costs as much as the answer. */
  get isTimed(): boolean {
    return this.#hits % TIMED_OF === TIMED_OF - 1;
  }

  /** A timed answer from memory, ms: it stands for all of which it was one. */
  timed(source: Source, ms: number): void {
    this.rung(source).observe(ms, TIMED_OF);
  }

  /** The decision cache did not. */
  miss(): void {
    this.#misses += 1;
  }

  /** Dialects that nobody speaks here are left out; of the others every row is there, so that rates see the first one. */
  #rows(): MetricRow<'dialect' | 'decision' | 'source'>[] {
    const rows: MetricRow<'dialect' | 'decision' | 'source'>[] = [];
    for (const dialect of DIALECT_NAMES) {
      const ofDialect = SOURCE_NAMES.flatMap((source) =>
        [true, false].map((allow) => ({
          value: this.#counts[place(dialect, SOURCES[source], allow)]!,
          labels: { dialect, decision: allow ? 'allow' : 'deny', source },
        })),
      );
      if (ofDialect.some((row) => row.value > 0)) rows.push(...ofDialect);
    }
    return rows;
  }
}

function place(dialect: DialectName, source: number, allow: boolean): number {
  return (DIALECTS[dialect] * SOURCE_NAMES.length + source) * 2 + (allow ? 1 : 0);
}
