import { digest } from '#usher/domain';
import type { Clock, Log } from '#usher/domain';
import { eventsKey, script, shardOf } from '#usher/redis';
import type { RedisArg, RedisClient } from '#usher/redis';
import { eventFields, KEPT, type EventFacts, type EventWriterOptions } from './event-writer.js';
import { toldKey } from './event-keys.js';
import type { EventType } from './event-types.js';

const TELL = script(import.meta.url, './lua/tell-once-2.lua');

/** Nobody waits for it, ms. */
const TIMEOUT = 1_000;
/** A Redis that was too busy is asked again, ms. */
const AGAIN_AFTER = 1_000;
/** A command that came too late is executed within this, ms. */
const TOLD_FOR = 600_000;
/** Events that wait for Redis; then the oldest go. */
const MOST = 1_000;

export interface OwedEventsOptions extends EventWriterOptions {
  /** Default 1,000. */
  readonly most?: number;
}

interface Owed {
  readonly shard: string;
  readonly mark: string;
  readonly fields: readonly RedisArg[];
}

/**
 * Events that are few and that somebody relies on: of breakers, outages, suspicions, holds and switches. While Redis is away
 * they wait here, in their order and with their own times, and are written once it is back. They die with the process.
 */
export class OwedEvents {
  /** Events that were never written, because too many waited. */
  dropped = 0;
  readonly #most: number;
  readonly #unlisten: () => void;
  #owed: Owed[] = [];
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly redis: RedisClient,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly options: OwedEventsOptions,
  ) {
    this.#most = options.most ?? MOST;
    if (!(options.shards >= 1) || !(this.#most >= 1)) {
      throw new RangeError('owed events: at least one shard, and room for one');
    }
    this.#unlisten = redis.onAway((away) => {
      if (!away) void this.#write();
    });
  }

  /** Those that wait. */
  get size(): number {
    return this.#owed.length;
  }

  /**
   * As `EventWriter.tell`, and never rejects: resolves when it is written, or waits. What several processes tell within
   * ten minutes, of the same time and with the same facts, is told once.
   */
  async tell(type: EventType, about: string, facts: EventFacts, at = this.clock.now()): Promise<void> {
    const fields = eventFields(type, Math.round(at), facts);
    const mark = digest('event', about, ...fields.map(String));
    this.#owed.push({ shard: shardOf(about, this.options.shards), mark, fields });
    if (this.#owed.length > this.#most) this.#drop(type);
    await this.#write();
  }

  /** What waits is lost. */
  stop(): void {
    this.#unlisten();
    clearTimeout(this.#timer);
    this.#owed = [];
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    const { redis, options, log } = this;
    clearTimeout(this.#timer);
    for (let owed = this.#owed[0]; owed !== undefined && !redis.away; owed = this.#owed[0]) {
      const { shard, mark, fields } = owed;
      try {
        const args = [TOLD_FOR, options.kept ?? KEPT, ...fields];
        await redis.run(TELL, [eventsKey(shard), toldKey(shard, mark)], args, TIMEOUT);
      } catch (error) {
        log.debug({ error, waiting: this.#owed.length }, 'an event could not be written; it is tried again');
        this.#timer = setTimeout(() => void this.#write(), AGAIN_AFTER).unref();
        return;
      }
      if (this.#owed[0] === owed) this.#owed.shift();
    }
  }

  #drop(type: EventType): void {
    this.#owed.shift();
    if (this.dropped === 0) this.log.warn({ type }, 'too many events wait for Redis: the oldest are dropped');
    this.dropped += 1;
  }
}
