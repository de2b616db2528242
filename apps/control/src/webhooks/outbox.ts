import { encodeName, script } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import type { LifecycleEvent } from '#usher/sessions';

const PUT = script(import.meta.url, './lua/put-outbox-1.lua');
const PATIENCE = 1_000;
/** Of an outbox that gets nothing new: longer than anything is tried, ms. */
const LIFE = 7 * 86_400_000;
/** Bytes of the events of one delivery, at most, unless one alone is longer. */
const BYTES = 262_144;

/** Events that are sent again go by a lane of their own: their ids are older than others'. */
export const AGAIN = 'again';

/** One event that waits. */
export interface OutboxEntry {
  /** Its id in the outbox, `<ms>-<sequence>`. */
  readonly id: string;
  /** JSON, as it is sent. */
  readonly event: string;
}

/** What waits for one receiver, in a lane for each shard: a Redis stream, the oldest first. Everything rejects as Redis does. */
export class Outbox {
  readonly #kept: number;

  constructor(
    private readonly redis: RedisClient,
    private readonly receiver: string,
    /** Events that wait in all lanes together, at most. */
    backlog: number,
    lanes: number,
  ) {
    this.#kept = Math.max(1, Math.ceil(backlog / lanes));
  }

  /** Events of one shard, in their order; those that are there already are left out. Returns how many old ones went for them. */
  async put(lane: string, events: readonly LifecycleEvent[]): Promise<number> {
    const args = events.flatMap((event) => [streamIdOf(event.id), JSON.stringify(event)]);
    const reply = await this.redis.run(PUT, [this.#key(lane)], [this.#kept, LIFE, ...args], PATIENCE);
    const [, gone] = reply as [number, number];
    return gone;
  }

  /** One event once more, behind those that are sent again already. */
  async putAgain(event: string): Promise<void> {
    await this.redis.run(PUT, [this.#key(AGAIN)], [this.#kept, LIFE, '*', event], PATIENCE);
  }

  /** The oldest, as many as fit into a delivery. */
  async first(lane: string, count: number): Promise<OutboxEntry[]> {
    const reply = await this.redis.call('XRANGE', [this.#key(lane), '-', '+', 'COUNT', count], PATIENCE);
    const entries: OutboxEntry[] = [];
    let bytes = 0;
    for (const [id, [, event = '']] of reply as [string, string[]][]) {
      bytes += Buffer.byteLength(event);
      if (bytes > BYTES && entries.length > 0) break;
      entries.push({ id, event });
    }
    return entries;
  }

  /** Takes out these. */
  async remove(lane: string, entries: readonly OutboxEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await this.redis.call('XDEL', [this.#key(lane), ...entries.map(({ id }) => id)], PATIENCE);
  }

  /** Takes out all. Returns how many there were. */
  async clear(lane: string): Promise<number> {
    return Number(await this.redis.call('XTRIM', [this.#key(lane), 'MAXLEN', 0], PATIENCE));
  }

  async length(lane: string): Promise<number> {
    return Number(await this.redis.call('XLEN', [this.#key(lane)], PATIENCE));
  }

  /** How many more a lane takes before it drops its oldest; 0 or less: none. */
  async room(lane: string): Promise<number> {
    return this.#kept - (await this.length(lane));
  }

  #key(lane: string): string {
    return `usher:outbox:{${lane}}:${encodeName(this.receiver)}`;
  }
}

/** `1753000000123-000004-07` in its shard's stream: `1753000000123-4`. */
function streamIdOf(eventId: string): string {
  const [ms, sequence] = eventId.split('-').map(Number);
  return `${ms}-${sequence}`;
}
