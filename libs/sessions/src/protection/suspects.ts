import { script, shardOf, suspectKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';

const COUNT = script(import.meta.url, './lua/count-suspect-2.lua');
/** What one call adds: `unpack` has a limit, and so has what one process may know of one suspect. */
export const MOST_SEEN = 500;
/** Nobody waits for it, ms. */
const TIMEOUT = 1_000;

/** The users who were seen at an address, or with a credential: not a measure by itself. */
export const USERS_AT = 'users-at';

/** What was seen of one suspect. */
export interface Seen {
  /** Which peculiarity it is: a part of the key. */
  readonly measure: string;
  /** Of whom: an address or network, the digest of a credential, `namespace/user`. No secret: it stands in the key. */
  readonly subject: string;
  /** An address or a credential: how many users are behind it is told too. */
  readonly hasUsers: boolean;
  /** Different things, by short names of 26 bytes at most. */
  readonly things: readonly string[];
  /** So many may be seen within the window. */
  readonly limit: number;
  /** Starts with the first thing, ms. */
  readonly window: number;
}

export interface Counted {
  readonly count: number;
  /** The limit was passed by this call: true once until the count starts anew. */
  readonly passed: boolean;
  /** Users seen behind it; 0 where it has none. */
  readonly users: number;
}

/** Counts, for the whole cluster, what is peculiar about addresses, credentials and users. */
export class SuspectCounts {
  constructor(
    private readonly redis: RedisClient,
    /** `redis.shards`: the same in every process. */
    private readonly shards: number,
  ) {
    if (!(shards >= 1)) throw new RangeError(`redis.shards: at least 1, not ${shards}`);
  }

  /** Rejects while Redis is away or late: what was seen then is not counted. */
  async count({ measure, subject, hasUsers, things, limit, window }: Seen): Promise<Counted> {
    const shard = shardOf(subject, this.shards);
    const key = suspectKey(shard, measure, subject);
    const usersAt = hasUsers ? suspectKey(shard, USERS_AT, subject) : key;
    const how = measure === USERS_AT ? 'users' : '';
    const args = [window, limit, how, ...things.slice(0, MOST_SEEN)];
    const answer = await this.redis.run(COUNT, [key, usersAt], args, TIMEOUT);
    const [count = 0, passed = 0, users = 0] = answer as number[];
    return { count, passed: passed === 1, users };
  }
}
