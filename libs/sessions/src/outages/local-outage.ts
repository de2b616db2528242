import type { Check, Session } from '#usher/domain';
import { noTotals, type LedgerTotals } from './ledger-totals.js';
import { COLUMNS, lineFacts, playedUntil } from './outage-line.js';
import type { Column, OutageFault, OutageResult } from './outage-line.js';
import { lineField, type OutageName } from './outage-names.js';
import type { LedgerWrite, LineStatus, LineWrite, Opened } from './outage-store.js';

/** One session in one column, as this process knows it. */
interface Entry {
  readonly field: string;
  readonly column: Column;
  readonly session: Session;
  readonly from: number;
  since: number;
  until: number;
  ms: number;
  result: OutageResult | '';
  resultAt: number;
  /** Whether it is in the totals; `theirs`: it is in another process's. Undefined: Redis has not answered yet. */
  counted: LineStatus | undefined;
  /** What is sealed with the line, until that is written. */
  check: Check | undefined;
}

/** Makes a check fit to wait in Redis. */
export type SealCheck = (check: Check, name: OutageName, field: string) => string;

/** One outage as one process knows it: who was let in without a decision, until when, and what became of him. */
export class LocalOutage {
  /** Undefined until Redis was told. */
  name: OutageName | undefined;
  /** Which one of that name it is. */
  made = '';
  end: number | undefined;
  /** Since when the breaker is not closed; undefined: it is. */
  downSince: number | undefined;
  lastAt: number;
  refused = 0;
  uncounted = 0;
  #start: number;
  #totals = noTotals();
  readonly #entries = new Map<string, Entry>();
  readonly #dirty = new Set<Entry>();

  constructor(
    readonly backend: string,
    readonly fault: OutageFault,
    start: number,
    /** Sessions remembered at most. */
    private readonly most: number,
  ) {
    this.#start = start;
    this.lastAt = start;
  }

  get start(): number {
    return this.#start;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Lines that Redis does not have as they are. */
  get unsent(): number {
    return this.#dirty.size;
  }

  totals(): LedgerTotals {
    return { ...this.#totals, refused: this.refused, uncounted: this.uncounted };
  }

  /** It was let in without a decision; again and again while it plays. */
  let(session: Session, column: Column, at: number, check?: Check): void {
    const since = this.end === undefined ? at : Math.min(at, this.end);
    this.lastAt = Math.max(this.lastAt, since);
    const key = keyOf(column, session);
    const known = this.#entries.get(key);
    const isSame = known?.session.fingerprint === session.fingerprint;
    if (known !== undefined && isSame) return this.#resume(known, since);
    // An edge that counts its ids anew: the one who had it is gone.
    if (known !== undefined) this.#stop(known, since);
    for (const other of COLUMNS) if (other !== column) this.#stopIn(other, session, since);
    if (known === undefined && this.#entries.size >= this.most) {
      this.uncounted += 1;
      return;
    }
    const entry: Entry = {
      field: lineField(column, session),
      column,
      session,
      from: since,
      since,
      until: 0,
      ms: 0,
      result: '',
      resultAt: 0,
      counted: undefined,
      check,
    };
    this.#entries.set(key, entry);
    this.#dirty.add(entry);
  }

  /** The session ended. */
  closed(name: Pick<Session, 'edge' | 'sessionId'>, at: number): void {
    for (const column of COLUMNS) {
      const entry = this.#stopIn(column, name, at);
      if (entry !== undefined && entry.result === '') this.#setResult(entry, 'gone', at);
    }
  }

  /** A decision could be had again. */
  decided(
    session: Pick<Session, 'edge' | 'sessionId'>,
    fingerprint: string,
    allow: boolean,
    at: number,
  ): void {
    for (const column of COLUMNS) {
      const entry = this.#entries.get(keyOf(column, session));
      if (entry === undefined || entry.session.fingerprint !== fingerprint) continue;
      // Later answers say nothing about what was on loan.
      if (entry.result === '') this.#setResult(entry, allow ? 'kept' : 'cut', at);
      if (entry.since !== 0) this.#stop(entry, at);
    }
  }

  /** Sessions on trust that play now, as far as this process counts them. */
  get onTrust(): number {
    return this.#totals.columns.onTrust.running;
  }

  /** Its breaker is not closed since then; whoever comes later knows less of it. */
  down(since: number | undefined): void {
    if (since !== undefined) this.downSince = Math.min(this.downSince ?? since, since);
  }

  /** Redis knows it under this name, with this start. */
  opened({ name, start, end, downSince, made }: Opened): void {
    this.name = name;
    this.made = made;
    this.#start = start;
    this.down(downSince);
    if (end !== undefined) this.finish(end);
  }

  /** It is over: nobody played longer on its account. Of two ends the earlier counts. */
  finish(end: number): void {
    if (this.end !== undefined && this.end <= end) return;
    this.end = end;
    for (const entry of this.#entries.values()) this.#clip(entry, end);
  }

  /** Redis lost it: all of it is written again. */
  lost(): void {
    this.name = undefined;
    this.#totals = noTotals();
    for (const entry of this.#entries.values()) {
      entry.counted = undefined;
      this.#dirty.add(entry);
    }
  }

  /** The next lines to be written, and what to do with the answer to them. */
  batch(
    most: number,
    name: OutageName,
    seal: SealCheck,
  ): Pick<LedgerWrite, 'lines' | 'totals'> & {
    readonly written: (statuses: readonly LineStatus[]) => void;
    readonly failed: () => void;
  } {
    const entries: Entry[] = [];
    for (const entry of this.#dirty) {
      if (entries.length >= most) break;
      entries.push(entry);
      this.#dirty.delete(entry);
    }
    const lines = entries.map((entry) => lineOf(entry, name, seal));
    return {
      lines,
      totals: this.totals(),
      written: (statuses) => {
        for (const [place, entry] of entries.entries()) this.#count(entry, statuses[place]);
      },
      failed: () => {
        for (const entry of entries) this.#dirty.add(entry);
      },
    };
  }

  /** As it is now: what changed since the line was written is written again. */
  #count(entry: Entry, status: LineStatus | undefined): void {
    if (status === undefined) return;
    entry.check = undefined;
    if (entry.counted !== undefined) return;
    entry.counted = status;
    if (status === 'theirs') return;
    const column = this.#totals.columns[entry.column];
    if (status !== 'again') column.sessions += 1;
    if (entry.since !== 0) {
      column.running += 1;
      column.since += entry.since - this.#start;
    }
    column.ms += entry.ms;
  }

  #resume(entry: Entry, at: number): void {
    if (entry.since !== 0 || this.end !== undefined) return;
    entry.since = at;
    entry.result = '';
    entry.resultAt = 0;
    this.#dirty.add(entry);
    if (!isCounted(entry)) return;
    const column = this.#totals.columns[entry.column];
    column.running += 1;
    column.since += at - this.#start;
  }

  #stopIn(column: Column, name: Pick<Session, 'edge' | 'sessionId'>, at: number): Entry | undefined {
    const entry = this.#entries.get(keyOf(column, name));
    if (entry !== undefined && entry.since !== 0) this.#stop(entry, at);
    return entry;
  }

  #stop(entry: Entry, at: number): void {
    if (entry.since === 0) return;
    // Who plays when it is over plays on its account until then.
    if (this.end !== undefined && at >= this.end) return;
    const until = Math.max(at, entry.since);
    const { since } = entry;
    entry.ms = playedUntil(entry, until);
    entry.since = 0;
    entry.until = until;
    this.#dirty.add(entry);
    if (!isCounted(entry)) return;
    const column = this.#totals.columns[entry.column];
    column.running -= 1;
    column.since -= since - this.#start;
    column.ms += until - since;
  }

  /** What was heard before the end was heard of may be later than the end. */
  #clip(entry: Entry, end: number): void {
    const column = this.#totals.columns[entry.column];
    if (entry.since > end) {
      if (isCounted(entry)) column.since -= entry.since - end;
      entry.since = end;
      this.#dirty.add(entry);
    } else if (entry.since === 0 && entry.until > end) {
      const over = Math.min(entry.ms, entry.until - end);
      entry.ms -= over;
      entry.until = end;
      if (isCounted(entry)) column.ms -= over;
      this.#dirty.add(entry);
    }
  }

  #setResult(entry: Entry, result: OutageResult, at: number): void {
    entry.result = result;
    entry.resultAt = at;
    this.#dirty.add(entry);
  }
}

const keyOf = (column: Column, { edge, sessionId }: Pick<Session, 'edge' | 'sessionId'>): string =>
  `${column}/${edge}/${sessionId}`;

const isCounted = ({ counted }: Entry): boolean => counted !== undefined && counted !== 'theirs';

function lineOf(entry: Entry, name: OutageName, seal: SealCheck): LineWrite {
  const { field, column, from, since, until, ms, result, resultAt, counted, check } = entry;
  const isNew = counted === undefined;
  const line: LineWrite = { field, column, isNew, from, since, until, ms, result, resultAt };
  if (!isNew) return line;
  const sealed = check === undefined ? undefined : seal(check, name, field);
  return { ...line, facts: lineFacts(entry.session), sealed };
}
