import {
  newestFirst,
  script,
  shardOf,
  whyAddressKey,
  whyKindKey,
  whyListsKey,
  whyNotableKey,
  whyUserKey,
  type RedisArg,
  type RedisClient,
  type RedisScript,
  type StreamPosition,
} from '#usher/redis';
import { PER_NAME } from './why-memory.js';
import { NOTABLE_KINDS, parseRecord, type NotableKind, type WhyRecord } from './why-record.js';

const keepAnswers = script(import.meta.url, './keep-answers-1.lua');
const keepNotable = script(import.meta.url, './keep-notable-1.lua');

/** Nobody waits for these, ms. */
const WRITE_TIMEOUT = 500;
const READ_TIMEOUT = 2_000;
/** Entries of one stream read at once: there are four in a shard. */
const AT_ONCE = 25;

/** Whom an answer concerns. Raw wire strings: they name keys. */
export interface Concerned {
  readonly ip: string;
  readonly namespace: string;
  /** Empty where nobody was named. */
  readonly user: string;
}

/** One record on its way to Redis. */
export interface Outgoing {
  readonly record: WhyRecord;
  readonly concerned: Concerned;
  /** Undefined: a plain allow. */
  readonly kind: NotableKind | undefined;
}

/** Of each kind of answer that was no plain allow: how many, in the whole of Redis. */
export interface WhyStoreBounds extends Readonly<Record<NotableKind, number>> {
  readonly shards: number;
  /** Seconds that answers are kept. */
  readonly ttl: number;
  /** Lists of users and addresses, in the whole of Redis. */
  readonly lists: number;
}

export interface NotableSpan {
  readonly before: StreamPosition | undefined;
  readonly oldest: number;
  readonly newest: number | undefined;
}

export interface StoredAnswer {
  /** Undefined: it cannot be read. */
  readonly record: WhyRecord | undefined;
  readonly position: StreamPosition;
}

/** One call of a script. */
interface Batch {
  readonly script: RedisScript;
  readonly key: string;
  readonly args: RedisArg[];
}

/** Where an answer goes: what its script is called with, and what stands before the answer. */
interface Place extends Batch {
  readonly list?: string;
}

/** The answers of all gateways in Redis: bounded lists and streams, each with a TTL. Every method rejects when it is away. */
export class WhyStore {
  readonly #redis: RedisClient;
  readonly #bounds: WhyStoreBounds;

  constructor(redis: RedisClient, bounds: WhyStoreBounds) {
    const { shards, ttl, lists } = bounds;
    const fits = [lists, ...NOTABLE_KINDS.map((kind) => bounds[kind])].every((most) => most >= shards);
    if (!(shards >= 1 && ttl >= 1 && fits)) {
      throw new RangeError('why: each shard must hold something for some time');
    }
    this.#redis = redis;
    this.#bounds = bounds;
  }

  get away(): boolean {
    return this.#redis.away;
  }

  /**
   * Writes in one pipeline, one script call for all lists of a shard: a call for each list would cost Redis and us several
   * times as much. Rejects if any of it failed; then some may be written.
   */
  async write(outgoing: readonly Outgoing[]): Promise<void> {
    const batches = new Map<string, Batch>();
    for (const { record, concerned, kind } of outgoing) {
      const json = JSON.stringify(record);
      for (const { list, ...batch } of this.#places(concerned, kind)) {
        const known = batches.get(batch.key) ?? batch;
        batches.set(batch.key, known);
        if (list !== undefined) known.args.push(list);
        known.args.push(json);
      }
    }
    const calls = Array.from(batches.values(), ({ script, key, args }) =>
      this.#redis.run(script, [key], args, WRITE_TIMEOUT),
    );
    const failed = (await Promise.allSettled(calls)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  byUser(namespace: string, user: string): Promise<WhyRecord[]> {
    return this.#list(whyUserKey(this.#shard(`${namespace}/${user}`), namespace, user));
  }

  byAddress(ip: string): Promise<WhyRecord[]> {
    return this.#list(whyAddressKey(this.#shard(ip), ip));
  }

  /**
   * Not plain allows of all shards and kinds, the newest first, read on as far as they are asked for; those that the version
   * before wrote, too. Times of writing, cluster time, ms.
   */
  async *notable(span: NotableSpan): AsyncGenerator<StoredAnswer> {
    const streams = new Map<string, string>();
    for (const shard of this.#shards()) {
      streams.set(shard, whyNotableKey(shard));
      for (const kind of NOTABLE_KINDS) streams.set(`${shard}.${kind}`, whyKindKey(shard, kind));
    }
    const entries = newestFirst(this.#redis, { streams, timeout: READ_TIMEOUT, atOnce: AT_ONCE, ...span });
    for await (const { fields, position } of entries) yield { record: parseRecord(fields[1]), position };
  }

  async #list(key: string): Promise<WhyRecord[]> {
    return records((await this.#redis.call('LRANGE', [key, 0, -1], READ_TIMEOUT)) as unknown[]);
  }

  #places({ ip, namespace, user }: Concerned, kind: NotableKind | undefined): Place[] {
    const shard = this.#shard(ip);
    const places = [this.#listPlace(shard, whyAddressKey(shard, ip))];
    if (user !== '') {
      const ofUser = this.#shard(`${namespace}/${user}`);
      places.push(this.#listPlace(ofUser, whyUserKey(ofUser, namespace, user)));
    }
    if (kind !== undefined) {
      const args = [Math.ceil(this.#bounds[kind] / this.#bounds.shards), this.#bounds.ttl];
      places.push({ script: keepNotable, key: whyKindKey(shard, kind), args });
    }
    return places;
  }

  #listPlace(shard: string, list: string): Place {
    const { ttl, lists, shards } = this.#bounds;
    const args = [PER_NAME, ttl, Math.ceil(lists / shards)];
    return { script: keepAnswers, key: whyListsKey(shard), args, list };
  }

  #shards(): string[] {
    return Array.from({ length: this.#bounds.shards }, (_, shard) => String(shard).padStart(2, '0'));
  }

  #shard(name: string): string {
    return shardOf(name, this.#bounds.shards);
  }
}

function records(replies: readonly unknown[]): WhyRecord[] {
  return replies.map(parseRecord).filter((record) => record !== undefined);
}
