import type { Clock } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { LifecycleEvent } from '#usher/sessions';

/** Stream: events that were given up. */
const KEY = 'usher:undelivered';
/** The newest so many are kept, for so long, ms. */
const KEPT = 10_000;
const LIFE = 7 * 86_400_000;
const PATIENCE = 1_000;
/** On one page. */
const MOST = 500;
/** One page of one receiver's letters looks at no more than so many of all. */
const LOOK = 2_000;

/** An event that a receiver did not get. */
export interface DeadLetter {
  readonly id: string;
  readonly receiver: string;
  /** ISO 8601. */
  readonly givenUpAt: string;
  readonly why: string;
  readonly event: LifecycleEvent;
}

export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[];
  /** Where the next page begins; undefined: there is none. */
  readonly next?: string;
}

export interface DeadLetterQuery {
  /** `next` of the page before. */
  readonly after?: string;
  /** 1 to 500. Default 100. */
  readonly limit?: number;
  /** Only of this one: a page may then be short, or empty, with more to come. */
  readonly receiver?: string | undefined;
}

/** A cursor that no page gave. */
export class InvalidDeadLetterError extends Error {
  readonly code = 'INVALID_DEAD_LETTER';
  override readonly name = 'InvalidDeadLetterError';
}

/** What could not be delivered, for people to look at and send again: the newest 10,000 of 7 days. Rejects as Redis does. */
export class DeadLetters {
  constructor(
    private readonly redis: RedisClient,
    private readonly clock: Clock,
  ) {}

  async add(receiver: string, event: string, why: string): Promise<void> {
    const fields = ['receiver', receiver, 'why', why, 'event', event];
    await this.redis.call('XADD', [KEY, 'MAXLEN', KEPT, '*', ...fields], PATIENCE);
    const oldest = Math.max(0, Math.floor(this.clock.now() - LIFE));
    await this.redis.call('XTRIM', [KEY, 'MINID', `${oldest}-0`], PATIENCE);
    await this.redis.call('PEXPIRE', [KEY, LIFE], PATIENCE);
  }

  /** The newest first. Throws InvalidDeadLetterError. */
  async list({ after, limit = 100, receiver }: DeadLetterQuery = {}): Promise<DeadLetterPage> {
    if (after !== undefined) checkId(after);
    const count = Math.min(Math.max(1, Math.floor(limit)), MOST);
    const atOnce = receiver === undefined ? count : MOST;
    const letters: DeadLetter[] = [];
    let next = after;
    for (let looked = 0; looked < LOOK; looked += atOnce) {
      const from = next === undefined ? '+' : `(${next}`;
      const found = await this.#read('XREVRANGE', from, '-', atOnce);
      for (const letter of found) {
        next = letter.id;
        if ((receiver ?? letter.receiver) === letter.receiver) letters.push(letter);
        if (letters.length === count) return { letters, next };
      }
      if (found.length < atOnce) return { letters };
    }
    return next === undefined ? { letters } : { letters, next };
  }

  /** Those of one receiver, the oldest first, at most so many. */
  async oldest(receiver: string, limit: number): Promise<DeadLetter[]> {
    const letters: DeadLetter[] = [];
    let from = '-';
    for (let looked = 0; looked < KEPT && letters.length < limit; looked += MOST) {
      const found = await this.#read('XRANGE', from, '+', MOST);
      letters.push(...found.filter((letter) => letter.receiver === receiver));
      const last = found.at(-1);
      if (last === undefined || found.length < MOST) break;
      from = `(${last.id}`;
    }
    return letters.slice(0, Math.max(0, limit));
  }

  /** Throws InvalidDeadLetterError. */
  async find(id: string): Promise<DeadLetter | undefined> {
    checkId(id);
    const [entry] = (await this.redis.call('XRANGE', [KEY, id, id], PATIENCE)) as Entry[];
    return entry === undefined ? undefined : readLetter(entry);
  }

  async remove(id: string): Promise<void> {
    await this.redis.call('XDEL', [KEY, id], PATIENCE);
  }

  async count(): Promise<number> {
    return Number(await this.redis.call('XLEN', [KEY], PATIENCE));
  }

  async #read(
    command: 'XRANGE' | 'XREVRANGE',
    from: string,
    to: string,
    count: number,
  ): Promise<DeadLetter[]> {
    const reply = await this.redis.call(command, [KEY, from, to, 'COUNT', count], PATIENCE);
    return (reply as Entry[]).map(readLetter);
  }
}

type Entry = readonly [id: string, fields: readonly string[]];

function readLetter([id, fields]: Entry): DeadLetter {
  const of = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
  return {
    id,
    receiver: of('receiver'),
    givenUpAt: new Date(Number(id.split('-')[0])).toISOString(),
    why: of('why'),
    event: JSON.parse(of('event')) as LifecycleEvent,
  };
}

function checkId(id: string): void {
  if (!/^\d{1,16}-\d{1,16}$/.test(id)) {
    throw new InvalidDeadLetterError('a dead letter’s id is <number>-<number>, as a list gives it');
  }
}
