import type { RedisClient } from './client.js';

/** Entries of one stream read at once. */
const AT_ONCE = 50;

/** Where an entry stands among those of all streams: of two, the later one has the greater position. */
export interface StreamPosition {
  readonly ms: number;
  readonly sequence: number;
  /** Its stream's name: the shard's two digits, and where a shard has several what it holds: `07.denied`. */
  readonly stream: string;
}

export interface ShardEntry {
  readonly position: StreamPosition;
  /** Of the stream. */
  readonly id: string;
  readonly fields: readonly string[];
}

export interface NewestFirst {
  /** Keys of streams by their names: 00, 01 …, or 00.denied, 00.refused … */
  readonly streams: ReadonlyMap<string, string>;
  /** Only what stands before it. */
  readonly before?: StreamPosition | undefined;
  /** Only what was written at this time (cluster time, ms) or before, or at that or after. */
  readonly newest?: number | undefined;
  readonly oldest?: number | undefined;
  /** Of one command, ms. */
  readonly timeout: number;
  /** Default 50. */
  readonly atOnce?: number;
}

/**
 * The entries of several streams as if they were one, the newest first; nothing is written. It reads on as far as it is
 * asked for. Rejects as Redis does.
 */
export async function* newestFirst(redis: RedisClient, query: NewestFirst): AsyncGenerator<ShardEntry> {
  const tails = Array.from(query.streams.keys(), (stream) => new Tail(redis, query, stream));
  await Promise.all(tails.map((tail) => tail.fill()));
  for (;;) {
    const [first, ...others] = tails.filter(({ head }) => head !== undefined);
    if (first === undefined) return;
    const newest = others.reduce((one, other) => (order(other, one) > 0 ? other : one), first);
    yield newest.head!;
    await newest.next();
  }
}

/** `<ms>-<sequence>-<stream>`, as `readPosition` reads it. */
export function positionText({ ms, sequence, stream }: StreamPosition): string {
  return `${ms}-${sequence}-${stream}`;
}

/** Undefined for what is none. */
export function readPosition(text: string): StreamPosition | undefined {
  const [, ms, sequence, stream] = /^(\d{1,15})-(\d{1,15})-(\d\d(?:\.[a-z]{1,16})?)$/.exec(text) ?? [];
  return stream === undefined ? undefined : { ms: Number(ms), sequence: Number(sequence), stream };
}

function order({ head: one }: Tail, { head: other }: Tail): number {
  const [a, b] = [one!.position, other!.position];
  return a.ms - b.ms || a.sequence - b.sequence || (a.stream < b.stream ? -1 : 1);
}

/** One stream, read backwards. */
class Tail {
  #entries: ShardEntry[] = [];
  #next = 0;
  #from: string;
  #isRead = false;

  constructor(
    private readonly redis: RedisClient,
    private readonly query: NewestFirst,
    private readonly stream: string,
  ) {
    this.#from = firstId(query, stream);
  }

  /** Its newest entry that is still to come; undefined: there is none. */
  get head(): ShardEntry | undefined {
    return this.#entries[this.#next];
  }

  async next(): Promise<void> {
    this.#next += 1;
    await this.fill();
  }

  async fill(): Promise<void> {
    if (this.head !== undefined || this.#isRead) return;
    const { streams, oldest = 0, timeout, atOnce = AT_ONCE } = this.query;
    const least = String(Math.max(0, Math.floor(oldest)));
    const args = [streams.get(this.stream)!, this.#from, least, 'COUNT', atOnce];
    const reply = (await this.redis.call('XREVRANGE', args, timeout)) as [string, string[]][];
    this.#entries = reply.map(([id, fields]) => ({ id, fields, position: this.#positionOf(id) }));
    this.#next = 0;
    this.#isRead = reply.length < atOnce;
    const last = reply.at(-1);
    if (last !== undefined) this.#from = `(${last[0]}`;
  }

  #positionOf(id: string): StreamPosition {
    const [ms, sequence] = id.split('-').map(Number);
    return { ms: ms!, sequence: sequence!, stream: this.stream };
  }
}

/** Where XREVRANGE begins in a stream. */
function firstId({ before, newest }: NewestFirst, stream: string): string {
  const latest = newest === undefined ? undefined : Math.floor(newest);
  if (before === undefined || (latest !== undefined && latest < before.ms)) {
    return latest === undefined ? '+' : String(Math.max(0, latest));
  }
  const { ms, sequence } = before;
  return `${stream < before.stream ? '' : '('}${ms}-${sequence}`;
}
