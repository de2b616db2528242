import type { Clock } from '#usher/domain';
import { eventsKey, script } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { heardKey, openingsKey } from './event-keys.js';

const READ = script(import.meta.url, './lua/read-events-2.lua');
const ACKNOWLEDGE = script(import.meta.url, './lua/acknowledge-events-2.lua');

/** The group of all controls. */
const GROUP = 'control';
const PATIENCE = 1_000;
/** What was read stays in the stream for people to look at, ms, as far as its length allows. */
const LOOKED_AT = 3_600_000;
/** Of a shard; the oldest go first, and the events that end them then do not say which opening they end. */
const OPENINGS = 100_000;
/** A shard in which nothing happened for so long is forgotten, ms. */
const MEMORY = 30 * 86_400_000;
/** Sequence numbers of one millisecond that an opening can tell apart. */
const SEQUENCES = 1_000;

/** One entry of a stream. */
export interface StreamEntry {
  readonly id: string;
  readonly fields: ReadonlyMap<string, string>;
}

export interface EventBatch {
  readonly entries: readonly StreamEntry[];
  /** Pushed out of the stream before anybody read them. */
  readonly missed: number;
  /** In the stream after these. */
  readonly waiting: number;
  /** There may be more to read now. */
  readonly full: boolean;
}

/** Openings and endings of sessions, by member: the stream id of the event that opened it; undefined: it has ended. */
export type Openings = ReadonlyMap<string, string | undefined>;

/** Reads the shards' streams. For one process at a time and shard: whoever holds the shard's lease. */
export class EventReader {
  constructor(
    private readonly redis: RedisClient,
    private readonly clock: Clock,
    /** At most so many entries at once. */
    private readonly count = 200,
  ) {
    if (!(count >= 1 && count <= 1_000)) throw new RangeError(`events: 1 to 1,000 at once, not ${count}`);
  }

  /**
   * The next entries. `unfinished`: those that were read and not acknowledged, by this process or by one that had the
   * shard before; from the first, each time. Rejects as Redis does.
   */
  async read(shard: string, which: 'new' | 'unfinished'): Promise<EventBatch> {
    const keys = [eventsKey(shard), heardKey(shard)];
    const from = which === 'new' ? '>' : '0';
    const reply = await this.redis.run(READ, keys, [from, this.count, GROUP, MEMORY], PATIENCE);
    const [missed, waiting, entries] = reply as [number, number, [string, string[] | null][]];
    const found = entries.map(([id, fields]) => ({ id, fields: pairs(fields ?? []) }));
    return { entries: found, missed, waiting, full: entries.length === this.count };
  }

  /** The entries are done with; `openings` is what they said of sessions. Rejects as Redis does. */
  async acknowledge(shard: string, entries: readonly StreamEntry[], openings: Openings): Promise<void> {
    if (entries.length === 0) return;
    const ids = entries.map(({ id }) => id);
    const older = `${Math.max(0, Math.floor(this.clock.now() - LOOKED_AT))}-0`;
    const changes = Array.from(openings, ([member, id]) => [member, id === undefined ? '' : scoreOf(id)]);
    const args = [GROUP, ids.length, ...ids, older, OPENINGS, MEMORY, ...changes.flat()];
    await this.redis.run(ACKNOWLEDGE, [eventsKey(shard), openingsKey(shard)], args, PATIENCE);
  }

  /** The stream ids of the events that opened these sessions, as far as they are known. Rejects as Redis does. */
  async openings(shard: string, members: readonly string[]): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    if (members.length === 0) return found;
    const scores = await this.redis.call('ZMSCORE', [openingsKey(shard), ...members], PATIENCE);
    for (const [at, score] of (scores as (string | null)[]).entries()) {
      if (score !== null) found.set(members[at]!, streamIdOf(Number(score)));
    }
    return found;
  }
}

function scoreOf(streamId: string): number {
  const [ms, sequence] = streamId.split('-').map(Number);
  return ms! * SEQUENCES + Math.min(sequence!, SEQUENCES - 1);
}

function streamIdOf(score: number): string {
  return `${Math.floor(score / SEQUENCES)}-${score % SEQUENCES}`;
}

function pairs(list: readonly string[]): Map<string, string> {
  const map = new Map<string, string>();
  for (let i = 0; i + 1 < list.length; i += 2) map.set(list[i]!, list[i + 1]!);
  return map;
}
