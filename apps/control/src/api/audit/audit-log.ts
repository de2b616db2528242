import type { Clock, Log, Random } from '#usher/domain';
import { AUDIT, script, type RedisClient } from '#usher/redis';
import type { Problem } from '../problems/problem.js';
import type { Change } from './change.js';

const KEEP = script(import.meta.url, './keep-audit-1.lua');

/** Entries kept, about. */
const ENTRIES = 10_000;
/** Seconds that an entry is kept: 90 days. */
const LIFE = 7_776_000;
/** A change is answered after its entry is written, or after so long, ms. */
const PATIENCE = 500;
/** Entries that wait for a Redis that is away. */
const MAX_WAITING = 1_000;
/** Looked through for one page. */
const LOOK = 2_000;
const AT_ONCE = 500;

/** A change as it is read back. */
export interface AuditEntry extends Change {
  /** Of the stream: `1764000000000-0`. */
  readonly id: string;
  /** Cluster time of the change, ms. */
  readonly at: number;
  /** What the caller got. */
  readonly status: number;
  /** `done`, or the code of the problem. */
  readonly result: string;
}

export interface AuditQuery {
  readonly by?: string;
  readonly since?: number;
  readonly limit: number;
  /** The last entry of the page before. */
  readonly before?: string;
}

export interface AuditPage {
  /** The newest first. */
  readonly entries: readonly AuditEntry[];
  /** Where to go on; missing at the end. A page may be short, with more to come. */
  readonly before?: string;
}

/**
 * Who changed what. In Redis for all, bounded; and each change is a line in the log of the process that made it. While
 * Redis is away entries wait in memory.
 */
export class AuditLog {
  readonly #waiting: string[][] = [];
  #writing = Promise.resolve();

  constructor(
    private readonly redis: RedisClient,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly log: Log,
  ) {
    redis.onAway((away) => {
      if (!away) void this.#flush();
    });
  }

  /** `outcome`: the status, or the problem that it ended in. Never rejects. Written when it resolves, unless Redis is away or slow. */
  async keep(change: Change, outcome: number | Problem): Promise<void> {
    const status = typeof outcome === 'number' ? outcome : outcome.status;
    const result = typeof outcome === 'number' ? 'done' : outcome.code;
    this.log.info({ ...change, status, result }, 'audit: a change through the admin API');
    const number = `${this.clock.now().toString(36)}${Math.floor(this.random() * 2 ** 32).toString(36)}`;
    const fields = { at: this.clock.now(), ...change, status, result };
    this.#waiting.push([number, ...Object.entries(fields).flatMap(([name, value]) => [name, String(value)])]);
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift();
      this.log.error({}, 'audit: Redis is away for so long that an entry is in the log only');
    }
    await this.#flush();
  }

  /** Rejects as Redis does. */
  async read({ by, since = 0, limit, before }: AuditQuery): Promise<AuditPage> {
    const entries: AuditEntry[] = [];
    let last = before;
    for (let looked = 0; looked < LOOK; looked += AT_ONCE) {
      const to = last === undefined ? '+' : `(${last}`;
      const args = [AUDIT, to, String(Math.max(0, Math.floor(since))), 'COUNT', AT_ONCE];
      const page = (await this.redis.call('XREVRANGE', args)) as [string, string[]][];
      for (const [id, fields] of page) {
        last = id;
        const entry = readEntry(id, fields);
        if (entry === undefined || (by !== undefined && entry.by !== by)) continue;
        entries.push(entry);
        if (entries.length === limit) return { entries, before: last };
      }
      if (page.length < AT_ONCE) return { entries };
    }
    return { entries, before: last };
  }

  /** Writes what waits, for the exit. */
  async close(): Promise<void> {
    await this.#flush();
    if (this.#waiting.length > 0) {
      this.log.error(
        { entries: this.#waiting.length },
        'audit: Redis is away; these entries are in the log only',
      );
    }
  }

  /** One after the other: the order is the order of the changes. */
  #flush(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      while (this.#waiting.length > 0 && !this.redis.away) {
        const [entry] = this.#waiting;
        try {
          await this.redis.run(KEEP, [AUDIT], [ENTRIES, LIFE, ...entry!], PATIENCE);
        } catch (error) {
          // The next change, or Redis coming back, tries again; what was written after all is not written twice.
          this.log.warn({ error }, 'audit: an entry could not be written yet');
          return;
        }
        this.#waiting.shift();
      }
    });
    return this.#writing;
  }
}

function readEntry(id: string, fields: readonly string[]): AuditEntry | undefined {
  const values: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) values[fields[i]!] = fields[i + 1]!;
  const { by = '', role = '', from = '', what = '', method = '', path = '', body = '', result = '' } = values;
  const [at, status] = [Number(values['at']), Number(values['status'])];
  if (!Number.isFinite(at) || !Number.isFinite(status)) return undefined;
  return { id, at, by, role, from, what, method, path, body, status, result };
}
