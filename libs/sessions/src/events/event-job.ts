import type { Clock, Log } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { Leases } from '../jobs/leases.js';
import { Rounds } from '../jobs/rounds.js';
import { allShards } from '../registry/session-names.js';
import type { EventBatch, EventReader, StreamEntry } from './event-reader.js';
import { lifecycleEvent, type LifecycleEvent } from './lifecycle-event.js';

/** Leases are renewed so often, ms. */
const RENEW_EVERY = 5_000;
/** Of one shard in one round; the others wait for their turn no longer. */
const BATCHES = 20;
/** Types that are counted each by itself; beyond them all are `other`. */
const TYPES = 100;

/**
 * Takes events over, in order, for good: what it resolved for is not handed over again; what it rejected for is, and so
 * is what was under way when a process died. Events of one shard come one batch after the other.
 */
export type TakeEvents = (shard: string, events: readonly LifecycleEvent[]) => Promise<void>;

export interface EventJobParts {
  readonly redis: RedisClient;
  readonly reader: EventReader;
  readonly clock: Clock;
  readonly log: Log;
  /** One part for each shard. */
  readonly leases: Leases;
  readonly shards: number;
  readonly take: TakeEvents;
  /** Told before `take`, as the entries are in Redis, with what is not for outside. As with `take`, what it rejects comes again. */
  readonly hear?: (shard: string, entries: readonly StreamEntry[]) => Promise<void>;
}

/** Hands the events of the shards that this process has to whoever wants them: each at least once, in order. */
export class EventJob {
  /** Events handed over since the start, by type. */
  readonly consumed = new Map<string, number>();
  /** Events that were pushed out of their streams before anybody read them, since the start. */
  missed = 0;
  readonly #rounds: Rounds;
  /** Shards in which there may be events that were read and not acknowledged. */
  readonly #unfinished = new Set<string>();
  readonly #held = new Set<string>();
  readonly #waiting = new Map<string, number>();
  #renewAt = Number.NEGATIVE_INFINITY;
  #stopping = false;

  constructor(
    private readonly parts: EventJobParts,
    /** Between two looks, ms. */
    every = 250,
  ) {
    this.#rounds = new Rounds(every, () => this.look());
  }

  start(): void {
    this.#rounds.start();
  }

  /** After the batch under way; lets the shards go. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#rounds.stop();
    await this.parts.leases.release().catch(() => undefined);
  }

  /** Events that wait in the shards that this process has, as of its last look. */
  waiting(): number {
    let sum = 0;
    for (const waiting of this.#waiting.values()) sum += waiting;
    return sum;
  }

  /** One round. Never rejects: what was not handed over is in the next one. */
  async look(): Promise<void> {
    const { redis, leases, shards, log, clock } = this.parts;
    if (redis.away) return;
    if (clock.monotonic() >= this.#renewAt) {
      this.#renewAt = clock.monotonic() + RENEW_EVERY;
      await leases.renew().catch((error: unknown) => log.debug({ error }, 'leases could not be renewed'));
    }
    const mine = allShards(shards).filter((shard, part) => this.#isHeld(shard, part));
    await Promise.all(mine.map((shard) => this.#hear(shard)));
  }

  /** Whoever takes a shard begins with what the one before it may have left unfinished. */
  #isHeld(shard: string, part: number): boolean {
    if (!this.parts.leases.holds(part)) {
      this.#held.delete(shard);
      this.#waiting.delete(shard);
      return false;
    }
    if (!this.#held.has(shard)) this.#unfinished.add(shard);
    this.#held.add(shard);
    return true;
  }

  async #hear(shard: string): Promise<void> {
    const { reader, leases, log } = this.parts;
    try {
      for (let turn = 0; turn < BATCHES && !this.#stopping && leases.holds(Number(shard)); turn += 1) {
        const isOld = this.#unfinished.has(shard);
        const batch = await reader.read(shard, isOld ? 'unfinished' : 'new');
        this.#note(shard, batch);
        if (batch.entries.length === 0 && isOld) this.#unfinished.delete(shard);
        else if (batch.entries.length === 0) return;
        else await this.#hand(shard, batch.entries);
        if (!isOld && !batch.full) return;
      }
    } catch (error) {
      this.#unfinished.add(shard);
      log.warn({ error, shard }, 'events could not be handed over; the next round goes on');
    }
  }

  async #hand(shard: string, entries: readonly StreamEntry[]): Promise<void> {
    const { reader, leases, hear, take } = this.parts;
    // Pushed out between two processes.
    const readable = entries.filter(({ fields }) => fields.size > 0);
    this.#miss(shard, entries.length - readable.length);
    const { events, openings } = await this.#told(shard, readable);
    await hear?.(shard, readable);
    if (events.length > 0) await take(shard, events);
    // Somebody else has the shard by now: it begins with these.
    if (!leases.holds(Number(shard))) return;
    await reader.acknowledge(shard, entries, openings);
    for (const { type } of events) this.#count(type);
  }

  /** The entries as events, and what they say of sessions. */
  async #told(shard: string, entries: readonly StreamEntry[]) {
    const before = await this.parts.reader.openings(shard, unopened(entries));
    const openings = new Map<string, string | undefined>();
    const events = entries.map((entry): LifecycleEvent => {
      const { id, fields } = entry;
      const member = fields.get('session');
      if (member === undefined) return lifecycleEvent(shard, entry, undefined);
      const opens = isOpening(fields);
      const own = openings.has(member) ? openings.get(member) : before.get(member);
      const opening = opens ? id : (fields.get('opening') ?? own);
      if (opens) openings.set(member, id);
      else if (isEnd(fields)) openings.set(member, undefined);
      return lifecycleEvent(shard, entry, opening);
    });
    return { events, openings };
  }

  #note(shard: string, { missed, waiting }: EventBatch): void {
    this.#waiting.set(shard, waiting);
    this.#miss(shard, missed);
  }

  #miss(shard: string, missed: number): void {
    if (missed === 0) return;
    this.missed += missed;
    this.parts.log.error({ shard, missed }, 'events were pushed out of their stream before they were read');
  }

  #count(type: string): void {
    const key = this.consumed.has(type) || this.consumed.size < TYPES ? type : 'other';
    this.consumed.set(key, (this.consumed.get(key) ?? 0) + 1);
  }
}

function isOpening(fields: ReadonlyMap<string, string>): boolean {
  return fields.get('type') === 'session.opened';
}

function isEnd(fields: ReadonlyMap<string, string>): boolean {
  const type = fields.get('type');
  return type === 'session.closed' || type === 'session.moved';
}

/** Members whose opening the entries themselves do not tell. */
function unopened(entries: readonly StreamEntry[]): string[] {
  const members = new Set<string>();
  for (const { fields } of entries) {
    const member = fields.get('session');
    if (member !== undefined && !isOpening(fields)) members.add(member);
  }
  return [...members];
}
