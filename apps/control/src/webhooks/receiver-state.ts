import { digest } from '#usher/domain';
import type { Clock } from '#usher/domain';
import { encodeName } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import type { Receiver } from './receiver.js';

const PATIENCE = 1_000;
/** Longer than anything is tried, ms. */
const LIFE = 7 * 86_400_000;

/** The oldest event of a lane, which could not be delivered yet. */
export interface Head {
  readonly id: string;
  readonly tries: number;
  /** Of its first failure, cluster time, ms. */
  readonly since: number;
}

/** How a receiver does, as all processes see it. */
export interface ReceiverStatus {
  /** It answered 410 at this address: nothing is sent any more. */
  readonly gone: boolean;
  /** Of the last delivery that it took, cluster time, ms; 0: none within 7 days. */
  readonly deliveredAt: number;
  /** Of the last failure, and what it was; 0 and empty: none within 7 days. */
  readonly failedAt: number;
  readonly why: string;
}

/** What the cluster remembers of one receiver. Everything rejects as Redis does. */
export class ReceiverState {
  readonly #key: string;
  /** Another address is another receiver: it is not gone. */
  readonly #address: string;

  constructor(
    private readonly redis: RedisClient,
    private readonly clock: Clock,
    { name, url }: Receiver,
  ) {
    this.#key = `usher:receiver:${encodeName(name)}`;
    this.#address = digest('address', url);
  }

  async status(): Promise<ReceiverStatus> {
    const fields = ['gone', 'deliveredAt', 'failedAt', 'why'];
    const reply = await this.redis.call('HMGET', [this.#key, ...fields], PATIENCE);
    const [gone, deliveredAt, failedAt, why] = reply as (string | null)[];
    return {
      gone: gone === this.#address,
      deliveredAt: Number(deliveredAt ?? 0),
      failedAt: Number(failedAt ?? 0),
      why: why ?? '',
    };
  }

  /** Since when the first event of one of these lanes cannot be delivered: cluster time, ms; 0: none is stuck. */
  async failingSince(lanes: readonly string[]): Promise<number> {
    if (lanes.length === 0) return 0;
    const reply = await this.redis.call('HMGET', [this.#key, ...lanes.map(headField)], PATIENCE);
    const heads = (reply as (string | null)[]).flatMap((text) => readHead(text) ?? []);
    return heads.length === 0 ? 0 : Math.min(...heads.map(({ since }) => since));
  }

  async head(lane: string): Promise<Head | undefined> {
    return readHead((await this.redis.call('HGET', [this.#key, headField(lane)], PATIENCE)) as string | null);
  }

  async delivered(lane: string): Promise<void> {
    await this.#set(['deliveredAt', Math.round(this.clock.now())]);
    await this.redis.call('HDEL', [this.#key, headField(lane)], PATIENCE);
  }

  /** One more failure of the event that is the oldest of its lane. */
  async failed(lane: string, id: string, before: Head | undefined, why: string): Promise<Head> {
    const now = Math.round(this.clock.now());
    const head = before?.id === id ? { ...before, tries: before.tries + 1 } : { id, tries: 1, since: now };
    const written = `${head.id}|${head.tries}|${head.since}`;
    await this.#set(['failedAt', now, 'why', why, headField(lane), written]);
    return head;
  }

  async markGone(): Promise<void> {
    await this.#set(['gone', this.#address]);
  }

  /** It is to be called again. */
  async welcomeBack(): Promise<void> {
    await this.redis.call('HDEL', [this.#key, 'gone'], PATIENCE);
  }

  async #set(fields: readonly (string | number)[]): Promise<void> {
    await this.redis.call('HSET', [this.#key, ...fields], PATIENCE);
    await this.redis.call('PEXPIRE', [this.#key, LIFE], PATIENCE);
  }
}

const headField = (lane: string): string => `head:${lane}`;

function readHead(text: string | null): Head | undefined {
  const [id, tries, since] = (text ?? '').split('|');
  return id === '' || id === undefined ? undefined : { id, tries: Number(tries), since: Number(since) };
}
