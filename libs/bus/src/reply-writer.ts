import { VERSION, writeReplyRow } from './envelope.js';
import type { EncodedData, ReplyKind } from './envelope.js';
import type { BusKeys } from './keys.js';
import type { Command, Line } from './line.js';

/** An asker's stream keeps about this many entries; each holds all of one tick. */
const MAX_ENTRIES = 1000;
const ROWS_PER_ENTRY = 256;
const RETRY_MS = 50;
/**
 * "Taken" is told with the next entry, or after this, ms. A reply that comes sooner says it as well, and an entry of its
 * own would wake the asker for nothing. Kept short: of what was taken and not told an asker that loses Redis knows nothing.
 */
const TAKEN_WITHIN_MS = 10;

interface Row {
  readonly id: number;
  readonly kind: ReplyKind;
  readonly data: EncodedData;
  readonly until: number;
}

/** What one asker is to be told. */
class Outbox {
  /** Request → until when its asker waits. */
  readonly taken = new Map<number, number>();
  readonly rows: Row[] = [];

  get empty(): boolean {
    return this.taken.size === 0 && this.rows.length === 0;
  }
}

export interface ReplyWriterParts {
  readonly line: Line;
  readonly keys: BusKeys;
  readonly serverId: string;
  readonly now: () => number;
  readonly timeoutMs: number;
  readonly onTrouble: (error: unknown) => void;
}

/**
 * Writes what a server has to say: for each asker one or two entries a turn of the loop, with many "taken" and replies; "taken" alone waits
 * a little for a reply to go with. While there is
 * no connection it keeps them, as long as the askers wait. What is written twice after a lost answer does no harm: an
 * asker takes a reply once.
 */
export class ReplyWriter {
  #boxes = new Map<string, Outbox>();
  #scheduled = false;
  /** This turn of the loop has had its first entry, or is about to. */
  #turnBegun = false;
  #retry: NodeJS.Timeout | undefined;
  #takenTimer: NodeJS.Timeout | undefined;
  #underWay = 0;
  #idle: (() => void)[] = [];

  constructor(private readonly parts: ReplyWriterParts) {
    parts.line.onReady(() => this.#schedule());
  }

  /** `addedAt`: when the request was added to its stream, ms; one that has waited is told at once. */
  taken(asker: string, id: number, until: number, addedAt: number): void {
    this.#box(asker).taken.set(id, until);
    if (this.parts.now() - addedAt >= TAKEN_WITHIN_MS) this.#schedule();
    else this.#takenTimer ??= setTimeout(() => this.#tellTaken(), TAKEN_WITHIN_MS);
  }

  /** Says "taken" as well, where that is not written yet. */
  reply(asker: string, id: number, kind: ReplyKind, data: EncodedData, until: number): void {
    const box = this.#box(asker);
    box.taken.delete(id);
    box.rows.push({ id, kind, data, until });
    this.#schedule();
  }

  /** Resolves when all is written, or nobody waits for it any more, or after the time. */
  async flushed(withinMs: number): Promise<void> {
    this.#schedule();
    if (this.#done) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** What has not been written is given up. */
  close(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#takenTimer);
    this.#boxes.clear();
    this.#tellIdle();
  }

  get #done(): boolean {
    return this.#underWay === 0 && this.#boxes.size === 0;
  }

  #box(asker: string): Outbox {
    let box = this.#boxes.get(asker);
    if (box === undefined) this.#boxes.set(asker, (box = new Outbox()));
    return box;
  }

  #tellTaken(): void {
    this.#takenTimer = undefined;
    this.#schedule();
  }

  /**
   * The first of a turn leaves before anything else is begun, with all that its own callback brings; what the turn's other
   * callbacks bring leaves together at its end. So one reply waits for nothing, and many are two entries.
   */
  #schedule(): void {
    if (this.#scheduled || this.#boxes.size === 0) return;
    this.#scheduled = true;
    if (this.#turnBegun) return;
    this.#turnBegun = true;
    process.nextTick(() => void this.#flush());
    setImmediate(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#turnBegun = false;
    if (this.#scheduled) void this.#flush();
  }

  async #flush(): Promise<void> {
    this.#scheduled = false;
    clearTimeout(this.#takenTimer);
    this.#takenTimer = undefined;
    if (!this.parts.line.ready) return this.#dropLate();
    const boxes = this.#boxes;
    this.#boxes = new Map();
    const writes = [...boxes].flatMap(([asker, box]) => this.#entries(asker, box));
    this.#underWay += 1;
    try {
      const commands = writes.map(({ command }) => command);
      const answers = await this.parts.line.pipeline(commands, this.parts.timeoutMs);
      for (const [index, [error, id]] of answers.entries()) {
        if (error !== null) this.parts.onTrouble(error);
        // After a Redis that came back empty the asker makes its stream anew; a crashed one's time runs out.
        else if (id === null) this.#putBack([[writes[index]!.asker, boxes.get(writes[index]!.asker)!]]);
      }
    } catch {
      this.#putBack(boxes);
    } finally {
      this.#underWay -= 1;
      this.#tellIdle();
    }
  }

  #entries(asker: string, box: Outbox): { readonly asker: string; readonly command: Command }[] {
    const taken = [...box.taken.keys()].join(',');
    const entries = [];
    for (let from = 0; from === 0 || from < box.rows.length; from += ROWS_PER_ENTRY) {
      const rows = box.rows.slice(from, from + ROWS_PER_ENTRY);
      entries.push({ asker, command: this.#entry(asker, from === 0 ? taken : '', rows) });
    }
    return entries;
  }

  #entry(asker: string, taken: string, rows: readonly Row[]): Command {
    let replies = '';
    const bytes: (string | Buffer)[] = [];
    for (const { id, kind, data } of rows) {
      replies += replies === '' ? writeReplyRow(id, kind, data) : `,${writeReplyRow(id, kind, data)}`;
      if (data.bytes !== undefined) bytes.push('b', data.bytes);
    }
    const message = `{"v":${VERSION},"from":"${this.parts.serverId}","taken":[${taken}],"replies":[${replies}]}`;
    const key = this.parts.keys.replies(asker);
    // Without NOMKSTREAM a late reply would make a crashed asker's stream anew, and that would never expire.
    return ['xadd', key, 'nomkstream', 'maxlen', '~', MAX_ENTRIES, '*', 'm', message, ...bytes];
  }

  #putBack(boxes: Iterable<readonly [string, Outbox]>): void {
    for (const [asker, box] of boxes) {
      const now = this.#box(asker);
      for (const [id, until] of box.taken) now.taken.set(id, until);
      now.rows.unshift(...box.rows);
    }
    this.#dropLate();
  }

  #dropLate(): void {
    const now = this.parts.now();
    for (const [asker, box] of this.#boxes) {
      for (const [id, until] of box.taken) if (until < now) box.taken.delete(id);
      const alive = box.rows.filter((row) => row.until >= now);
      box.rows.splice(0, box.rows.length, ...alive);
      if (box.empty) this.#boxes.delete(asker);
    }
    this.#tellIdle();
    if (this.#boxes.size > 0) this.#retryLater();
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#schedule();
    }, RETRY_MS);
  }

  #tellIdle(): void {
    if (!this.#done) return;
    for (const tell of this.#idle.splice(0)) tell();
  }
}
