import { plainAddress } from '#usher/sessions';
import type { WhyConfig } from '#usher/config';
import type { Check, Clock, Log } from '#usher/domain';
import { positionText, readPosition, type RedisClient } from '#usher/redis';
import type { Remembered } from './last-answers.js';
import { WhyMemory } from './why-memory.js';
import { notableKind, readOut, type AnswerGiven, type WhyAnswer, type WhyRecord } from './why-record.js';
import { WaitingAnswers } from './waiting-answers.js';
import { WhyStore, type Outgoing } from './why-store.js';

const DAY_SECONDS = 86_400;
/** Records wait so long for others, then go to Redis together, ms. */
const TICK = 100;
/** In one tick at most; with that, recording costs Redis a bounded share. */
const PER_TICK = 200;
const MAX_WAITING = 5_000;
/** Records read and looked at for one page. */
const LOOK = 2_000;
/** An answer waits so long for Redis and is still found by its time, ms. */
const WRITTEN_LATE = 3_600_000;
/** Clocks of processes and Redis' own differ by so much, ms. */
const SLACK = 5_000;

export interface WhyOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly redis: RedisClient;
  /** Of sessions: `redis.shards`. */
  readonly shards: number;
  /** A backend's users are namespaced by it. */
  readonly namespaceOf: (backend: string) => string;
  readonly bounds: WhyConfig;
}

/** Which of the answers that were not plain allows. */
export interface WhyPageQuery {
  /** All by default. */
  readonly wants?: (answer: WhyAnswer) => boolean;
  /** Given at this time (cluster time, ms) or later, and never more than a day ago; at this time or before. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** 1 or more. */
  readonly limit: number;
  /** `cursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface WhyFound {
  /** The newest first. */
  readonly answers: readonly WhyAnswer[];
  /** False: Redis could not be asked, and only this process's own answers are here. */
  readonly complete: boolean;
}

export interface WhyPage extends WhyFound {
  /** Of the next page, as long as there may be one. */
  readonly cursor: string | undefined;
}

/**
 * Why a viewer got the answer that he got: the last day's answers that were not plain allows, each kind of them bounded by
 * itself, and the last 20 of any kind for each user and address. In the memory of each gateway, and in Redis for all.
 */
export class Why {
  /** Records that never reached Redis. */
  dropped = 0;
  readonly #options: WhyOptions;
  readonly #memory: WhyMemory;
  readonly #store: WhyStore;
  readonly #waiting = new WaitingAnswers(MAX_WAITING);
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #failing = false;

  constructor(options: WhyOptions) {
    const { redis, shards, bounds } = options;
    this.#options = options;
    this.#memory = new WhyMemory(bounds);
    this.#store = new WhyStore(redis, { ...bounds, shards, ttl: DAY_SECONDS });
  }

  /** Never throws and never waits. The same answer to the same session again costs a look into a short list. */
  record(check: Check, given: AnswerGiven): void {
    const { user = '', backend } = given.decision;
    const namespace = user === '' || backend === undefined ? '' : this.#options.namespaceOf(backend);
    const record = this.#memory.note(check, given, namespace, this.#options.clock.now());
    if (record === undefined) return;
    this.#enqueue({
      record,
      concerned: { ip: plainAddress(check.ip), namespace, user },
      kind: notableKind(given.decision),
    });
  }

  /** The last answers of a user; both names as raw wire strings. */
  byUser(namespace: string, user: string): Promise<WhyFound> {
    return this.#found(this.#memory.byUser(namespace, user), this.#store.byUser(namespace, user));
  }

  /** The last answers that an address got, however it is written. */
  byAddress(address: string): Promise<WhyFound> {
    const ip = plainAddress(address);
    return this.#found(this.#memory.byAddress(ip), this.#store.byAddress(ip));
  }

  /**
   * Answers of the last day that were not plain allows, as Redis has them. A page looks at 2,000 of them at most: it may be
   * short, or empty, with more to come. Without Redis: this process's own. An unknown cursor is as none.
   */
  async page({ wants = () => true, limit, cursor, ...span }: WhyPageQuery): Promise<WhyPage> {
    const dayAgo = this.#options.clock.now() - DAY_SECONDS * 1_000;
    const since = Math.max(dayAgo, span.since ?? 0);
    const until = span.until ?? Infinity;
    const isWanted = (one: WhyAnswer): boolean => one.lastAt >= since && one.at <= until && wants(one);
    try {
      return await this.#page(isWanted, since, span.until, limit, cursor);
    } catch {
      const mine = this.#memory
        .notable()
        .map(({ record, repeats, lastAt }) => readOut(record, repeats, lastAt));
      return { answers: mine.filter(isWanted).slice(0, limit), complete: false, cursor: undefined };
    }
  }

  /** Writes what waits, as long as Redis takes it; for the exit. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
    while (this.#waiting.size > 0 && !this.#store.away && !this.#failing) await this.#write();
    clearTimeout(this.#timer);
    this.#drop(this.#waiting.take(MAX_WAITING).length);
  }

  async #page(
    isWanted: (one: WhyAnswer) => boolean,
    since: number,
    until: number | undefined,
    limit: number,
    cursor: string | undefined,
  ): Promise<WhyPage> {
    const span = {
      before: cursor === undefined ? undefined : readPosition(cursor),
      oldest: since - SLACK,
      newest: until === undefined ? undefined : until + WRITTEN_LATE,
    };
    const answers: WhyAnswer[] = [];
    let looked = 0;
    let next: string | undefined;
    for await (const { record, position } of this.#store.notable(span)) {
      looked += 1;
      const answer = record && readOut(record);
      if (answer !== undefined && isWanted(answer)) answers.push(answer);
      if (answers.length < limit && looked < LOOK) continue;
      next = positionText(position);
      break;
    }
    return { answers: answers.sort((a, b) => b.lastAt - a.lastAt), complete: true, cursor: next };
  }

  #enqueue(outgoing: Outgoing): void {
    if (!this.#waiting.add(outgoing)) this.#drop(1);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#writing !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // While Redis is away they wait, and the queue's bound holds.
      if (this.#store.away) return this.#schedule();
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
        if (this.#waiting.size > 0) this.#schedule();
      });
    }, TICK).unref();
  }

  async #write(): Promise<void> {
    const batch = this.#waiting.take(PER_TICK);
    try {
      await this.#store.write(batch);
      this.#failing = false;
    } catch (error) {
      // Never written twice: a command that came too late may be executed still.
      this.#drop(batch.length);
      if (!this.#failing) this.#options.log.warn({ err: error }, 'answers could not be recorded for `why`');
      this.#failing = true;
    }
  }

  #drop(count: number): void {
    this.dropped += count;
  }

  /** This process knows the repetitions of its own answers, and what Redis has not yet. */
  async #found(mine: readonly Remembered[], theirs: Promise<readonly WhyRecord[]>): Promise<WhyFound> {
    let complete = true;
    const records = await theirs.catch(() => {
      complete = false;
      return [];
    });
    const oldest = this.#options.clock.now() - DAY_SECONDS * 1_000;
    const byId = new Map(records.map((record) => [record.id, readOut(record)]));
    for (const { record, repeats, lastAt } of mine) byId.set(record.id, readOut(record, repeats, lastAt));
    const answers = [...byId.values()]
      .filter((one) => one.lastAt >= oldest)
      .sort((a, b) => b.lastAt - a.lastAt);
    return { answers, complete };
  }
}
