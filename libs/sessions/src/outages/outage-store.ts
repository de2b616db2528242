import { script } from '#usher/redis';
import type { RedisArg, RedisClient } from '#usher/redis';
import { readTotals, totalsText, type LedgerTotals } from './ledger-totals.js';
import { COLUMNS, readLine } from './outage-line.js';
import type { Column, LineFacts, LineState, OutageFault, OutageLine, OutageResult } from './outage-line.js';
import {
  openOutagesKey,
  outageBackendsKey,
  outageKeys,
  outagesKey,
  type OutageName,
} from './outage-names.js';

const NOTE = script(import.meta.url, './lua/note-backend-1.lua');
const OPEN = script(import.meta.url, './lua/open-outage-2.lua');
const WRITE = script(import.meta.url, './lua/write-ledger-4.lua');
const END = script(import.meta.url, './lua/end-outage-2.lua');
const MARK = script(import.meta.url, './lua/mark-outage-1.lua');
const SETTLE = script(import.meta.url, './lua/settle-lines-3.lua');

/** Nobody waits for the ledger, ms. */
const TIMEOUT = 1_000;
const DAY = 86_400_000;
/** Backends that have outages, those that are no longer configured included. */
const BACKENDS = 200;
/** Lines read at once. */
const PAGE = 500;

/** How much is kept. */
export interface OutageBounds {
  /** Ledgers are kept so long after their last change, ms. */
  readonly kept: number;
  /** Sealed checks, ms: an outage that cannot be settled for longer is not settled by asking. */
  readonly checksKept: number;
  /** Outages of one backend. */
  readonly outages: number;
  /** Lines of one outage. */
  readonly lines: number;
  /** Lines of all outages of one backend. */
  readonly allLines: number;
}

export const OUTAGE_BOUNDS: OutageBounds = {
  kept: 30 * DAY,
  checksKept: 2 * DAY,
  outages: 100,
  lines: 100_000,
  allLines: 200_000,
};

/** `ended`: it is over; who comes late with lines may still write them. */
export interface Opened {
  readonly status: 'opened' | 'open' | 'ended';
  readonly name: OutageName;
  /** Cluster time, ms. */
  readonly start: number;
  readonly end: number | undefined;
  /** The breaker's turn was noted by this call. */
  readonly turned: boolean;
  /** Since when the breaker is not closed: cluster time, ms. */
  readonly downSince: number | undefined;
  /** Tells it from another one of that name, which was opened after Redis had lost this one; empty: not known. */
  readonly made: string;
}

/** A line on its way. */
export interface LineWrite extends LineState {
  readonly field: string;
  readonly column: Column;
  /** The totals given with it do not hold it yet. */
  readonly isNew: boolean;
  /** Left out where they are in Redis already. */
  readonly facts?: LineFacts;
  readonly sealed?: string;
}

/** `mine`: written; `again`: written, of a session that was counted before; `theirs`: another process counts it; `full`: counted without a line. */
export type LineStatus = 'mine' | 'again' | 'theirs' | 'full';

export interface LedgerWrite {
  readonly node: string;
  readonly state: 'open' | 'done' | 'left';
  readonly totals: LedgerTotals;
  /** The last answer without a decision: cluster time, ms. */
  readonly lastAt: number;
  /** That `totals` count from. */
  readonly start: number;
  /** See Opened; left out: whichever has that name. */
  readonly made?: string;
  readonly lines: readonly LineWrite[];
  /** Processes that may have something for this ledger too, and when they were heard of last: cluster time, ms. */
  readonly peers?: ReadonlyMap<string, number>;
}

export interface Written {
  readonly status: 'gone' | 'open' | 'ended';
  readonly end: number | undefined;
  readonly lines: readonly LineStatus[];
}

/** What one process has written. */
export interface LedgerNode {
  readonly node: string;
  /** Cluster time of its last word, ms. */
  readonly at: number;
  /** `expected`: it wrote nothing, and others thought it might. */
  readonly state: 'open' | 'done' | 'left' | 'expected';
  readonly totals: LedgerTotals;
}

/** An outage's record. Instants are cluster time, ms. */
export interface OutageRecord {
  readonly name: OutageName;
  readonly fault: OutageFault;
  readonly start: number;
  readonly end: number | undefined;
  readonly lastAt: number;
  /** Since when the breaker was not closed; undefined: no breaker saw it. */
  readonly downSince: number | undefined;
  /** When it was found out what became of everybody. */
  readonly settledAt: number | undefined;
  /** Everything else that was marked. */
  readonly marks: ReadonlyMap<string, string>;
}

/** What became of a line. */
export interface LineFinding {
  readonly field: string;
  readonly column: Column;
  /** When it ended, where its own process could not tell: cluster time, ms. */
  readonly endedAt?: number;
  readonly result?: OutageResult;
  readonly estimated?: boolean;
}

/** The ledgers in Redis. Every method rejects while Redis is away or late. */
export class OutageStore {
  constructor(
    private readonly redis: RedisClient,
    private readonly bounds: OutageBounds = OUTAGE_BOUNDS,
  ) {
    if (!(bounds.outages >= 2) || !(bounds.lines >= 1) || !(bounds.kept > 0)) {
      throw new RangeError('outages: at least two, with a line each, for some time');
    }
  }

  get away(): boolean {
    return this.redis.away;
  }

  /** Opens the backend's outage, or finds the one that lasts. */
  async open(
    backend: string,
    fault: OutageFault,
    start: number,
    downSince: number | undefined,
  ): Promise<Opened> {
    const { kept, outages, allLines } = this.bounds;
    // Before: an outage that nobody finds would be worse than a backend without any.
    await this.redis.run(
      NOTE,
      [outageBackendsKey()],
      [backend, Math.round(start), 2 * kept, BACKENDS],
      TIMEOUT,
    );
    const keys = [outagesKey(backend), openOutagesKey(backend)];
    const down = downSince === undefined ? '' : Math.round(downSince);
    const args = [fault, Math.round(start), down, backend, kept, outages, allLines];
    const reply = (await this.redis.run(OPEN, keys, args, TIMEOUT)) as string[];
    const [status, tail = '', since, end, turned, notClosedSince, made = ''] = reply;
    return {
      status: status as Opened['status'],
      name: { backend, tail },
      start: Number(since),
      end: instant(end),
      turned: Number(turned) === 1,
      downSince: instant(notClosedSince),
      made,
    };
  }

  async write(name: OutageName, write: LedgerWrite): Promise<Written> {
    const { kept, checksKept, lines: cap } = this.bounds;
    const { node, state, totals, lastAt, start, lines, peers, made = '' } = write;
    const others = Array.from(peers ?? [], ([id, heard]) => `${id}/${Math.round(heard)}`).join(',');
    const head = [node, state, totalsText(totals), Math.round(lastAt), cap, kept, checksKept, others];
    const args: RedisArg[] = [...head, Math.round(start), made, ...lines.flatMap(lineArgs)];
    const reply = (await this.redis.run(WRITE, outageKeys(name), args, TIMEOUT)) as string[];
    const [status, end, ...statuses] = reply;
    return { status: status as Written['status'], end: instant(end), lines: statuses as LineStatus[] };
  }

  /** Ends it at a time, or, without one, if nobody was answered without a decision for `quiet` ms. The end, if by this call. */
  async end(
    name: OutageName,
    fault: OutageFault,
    at: number | undefined,
    quiet: number,
  ): Promise<number | undefined> {
    const keys = [openOutagesKey(name.backend), outageKeys(name)[0]];
    const args = [fault, name.tail, at === undefined ? '' : Math.round(at), quiet];
    return instant(await this.redis.run(END, keys, args, TIMEOUT));
  }

  /** True for the first that marks it so. */
  async mark(name: OutageName, what: string, value: string | number): Promise<boolean> {
    return (await this.redis.run(MARK, [outageKeys(name)[0]], [what, value, 'once'], TIMEOUT)) === 1;
  }

  /** As `mark`, in place of what was marked before. */
  async markAnew(name: OutageName, what: string, value: string | number): Promise<void> {
    await this.redis.run(MARK, [outageKeys(name)[0]], [what, value, 'anew'], TIMEOUT);
  }

  /** The outages of a backend that last, by whose fault it is, and those that wait to be settled. */
  async pending(
    backend: string,
  ): Promise<{ readonly open: ReadonlyMap<OutageFault, OutageName>; readonly ended: readonly OutageName[] }> {
    const open = new Map<OutageFault, OutageName>();
    const ended: OutageName[] = [];
    for (const [field, value] of pairs(
      await this.redis.call('HGETALL', [openOutagesKey(backend)], TIMEOUT),
    )) {
      if (field === 'backend' || field === 'us') open.set(field, { backend, tail: value });
      else ended.push({ backend, tail: field });
    }
    return { open, ended };
  }

  /** Backends that have had outages, configured or not: those of the last 60 days at least, 200 at most. */
  async backends(): Promise<string[]> {
    return (await this.redis.call('ZREVRANGE', [outageBackendsKey(), 0, -1], TIMEOUT)) as string[];
  }

  /** The newest first. */
  async names(backend: string, limit: number): Promise<OutageName[]> {
    const reply = await this.redis.call('ZREVRANGE', [outagesKey(backend), 0, limit - 1], TIMEOUT);
    return (reply as string[]).map((tail) => ({ backend, tail }));
  }

  async record(name: OutageName): Promise<OutageRecord | undefined> {
    const marks = new Map(pairs(await this.redis.call('HGETALL', [outageKeys(name)[0]], TIMEOUT)));
    const start = instant(marks.get('start'));
    if (start === undefined) return undefined;
    return {
      name,
      fault: marks.get('fault') === 'us' ? 'us' : 'backend',
      start,
      end: instant(marks.get('end')),
      lastAt: Number(marks.get('lastAt') ?? start),
      downSince: instant(marks.get('downSince')),
      settledAt: instant(marks.get('settledAt')),
      marks,
    };
  }

  async nodes(name: OutageName): Promise<LedgerNode[]> {
    const reply = pairs(await this.redis.call('HGETALL', [outageKeys(name)[2]], TIMEOUT));
    return reply.map(([node, value]) => {
      const [at, state, totals = ''] = value.split('|');
      return {
        node,
        at: Number(at),
        state: state as LedgerNode['state'],
        totals: readTotals(totals),
      };
    });
  }

  /** Every line once, in no order. */
  async *lines(name: OutageName): AsyncGenerator<OutageLine> {
    const seen = new Set<string>();
    let cursor = '0';
    do {
      const page = await this.linePage(name, cursor, PAGE);
      ({ cursor } = page);
      for (const line of page.lines) {
        if (!seen.has(line.field)) yield line;
        seen.add(line.field);
      }
    } while (cursor !== '0');
  }

  /** About `count` lines, in no order, from a cursor: '0' is the first, and what the last page gives. Some may come twice. */
  async linePage(
    name: OutageName,
    from: string,
    count: number,
  ): Promise<{ readonly lines: readonly OutageLine[]; readonly cursor: string }> {
    const args = [outageKeys(name)[1], from, 'COUNT', count];
    const [cursor, found] = (await this.redis.call('HSCAN', args, TIMEOUT)) as [string, string[]];
    const lines = pairs(found).flatMap(([field, value]) => readLine(field, value) ?? []);
    return { lines, cursor };
  }

  /** How many have a line. */
  async lineCount(name: OutageName): Promise<number> {
    return Number(await this.redis.call('HLEN', [outageKeys(name)[1]], TIMEOUT));
  }

  async settleLines(
    name: OutageName,
    start: number,
    findings: readonly LineFinding[],
    at: number,
  ): Promise<void> {
    const [, ...keys] = outageKeys(name);
    for (let from = 0; from < findings.length; from += PAGE) {
      const page = findings.slice(from, from + PAGE);
      const args = [Math.round(start), ...page.flatMap(findingArgs), Math.round(at)];
      await this.redis.run(SETTLE, keys, args, TIMEOUT);
    }
  }

  /** The sealed check of a line; undefined where there is none any more. */
  async sealedCheck(name: OutageName, field: string): Promise<string | undefined> {
    const sealed = await this.redis.call('HGET', [outageKeys(name)[3], field], TIMEOUT);
    return typeof sealed === 'string' ? sealed : undefined;
  }

  /** It is settled: no credential of it is kept any longer. */
  async settled(name: OutageName, at: number): Promise<void> {
    await this.redis.call('DEL', [outageKeys(name)[3]], TIMEOUT);
    await this.mark(name, 'settledAt', Math.round(at));
    await this.redis.call('HDEL', [openOutagesKey(name.backend), name.tail], TIMEOUT);
  }
}

/** Redis' own cursors are 64 bits. */
export function isLineCursor(text: string): boolean {
  return /^\d{1,20}$/.test(text) && BigInt(text) < 2n ** 64n;
}

function lineArgs(line: LineWrite): RedisArg[] {
  const { field, column, isNew, from, since, until, ms, result, resultAt, facts, sealed = '' } = line;
  const times = [from, since, until, ms].map(Math.round);
  const json = facts === undefined ? '' : JSON.stringify(facts);
  return [
    field,
    COLUMNS.indexOf(column),
    isNew ? 1 : 0,
    ...times,
    result,
    Math.round(resultAt),
    json,
    sealed,
  ];
}

function findingArgs({ field, column, endedAt, result, estimated }: LineFinding): RedisArg[] {
  const ended = endedAt === undefined ? '' : Math.round(endedAt);
  return [field, COLUMNS.indexOf(column), ended, result ?? '', estimated === true ? 1 : ''];
}

/** An instant as Redis holds it; undefined where there is none. */
function instant(text: unknown): number | undefined {
  const value = text === '' || text === undefined || text === null ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function pairs(reply: unknown): [string, string][] {
  const list = Array.isArray(reply) ? reply.map(String) : [];
  return Array.from({ length: list.length >> 1 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!]);
}
