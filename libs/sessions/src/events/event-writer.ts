import { cut, readable } from '#usher/domain';
import type { Clock } from '#usher/domain';
import { eventsKey, shardOf } from '#usher/redis';
import type { RedisArg, RedisClient } from '#usher/redis';
import type { EventType } from './event-types.js';

/** Events kept in each shard's stream, about: as the scripts keep that change sessions. */
export const KEPT = 10_000;
/** Characters of one text. */
const MAX_TEXT = 1024;
/** Nobody waits for it, ms. */
const TIMEOUT = 1_000;

/** What is told: byte strings, numbers; what is undefined or empty is left out. No secrets. */
export type EventFacts = Readonly<Record<string, string | number | undefined>>;

export interface EventWriterOptions {
  /** `redis.shards`: the same in every process. */
  readonly shards: number;
  /** Events kept in each stream, about. Default 10,000. */
  readonly kept?: number;
}

/** Events that no script writes because no session changes: into the same streams as theirs, in the same form. */
export class EventWriter {
  constructor(
    private readonly redis: RedisClient,
    private readonly clock: Clock,
    private readonly options: EventWriterOptions,
  ) {
    if (!(options.shards >= 1)) throw new RangeError(`redis.shards: at least 1, not ${options.shards}`);
  }

  /**
   * @param type `hold.set`, `breaker.suspended` …
   * @param about events about one thing stay in order: its name, whatever it is
   * Rejects while Redis is away or late.
   */
  tell(type: EventType, about: string, facts: EventFacts): Promise<void> {
    return this.tellIn(shardOf(about, this.options.shards), type, facts);
  }

  /** As `tell`, after the events that this shard has: a session's are in order in its own. */
  async tellIn(shard: string, type: EventType, facts: EventFacts): Promise<void> {
    const { kept = KEPT } = this.options;
    const fields = eventFields(type, Math.round(this.clock.now()), facts);
    await this.redis.call('XADD', [eventsKey(shard), 'MAXLEN', '~', kept, '*', ...fields], TIMEOUT);
  }
}

/** What stands in the stream; `at`: cluster time, ms. */
export function eventFields(type: EventType, at: number, facts: EventFacts): RedisArg[] {
  const fields: RedisArg[] = ['type', type, 'at', at];
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined || value === '') continue;
    fields.push(name, typeof value === 'number' ? value : cut(readable(value), MAX_TEXT));
  }
  return fields;
}
