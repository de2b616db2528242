import { aliveKey, userKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { KEPT } from '../events/event-writer.js';
import { boundUser, userShardOf } from '../registry/session-names.js';
import { sessionScript } from '../registry/session-script.js';

const REFRESH = sessionScript('refresh-user-3');

/** An operator waits for it, ms. */
const TIMEOUT = 1_000;
/** Nobody watches so much: a name that many people share is not read whole at once. */
const MOST = 1_000;

/** One session of a user that was refreshed. */
export interface RefreshedSession {
  readonly backend: string;
  readonly viewerKey: string;
  /** Its backend is asked at its next check, and at once where it is asked in the background. */
  readonly askedAgain: boolean;
}

export interface RefreshOptions {
  /** `redis.shards`: the same in every process. */
  readonly shards: number;
  /** The backends with `credential: reusable`. */
  readonly reusable: readonly string[];
  /** Events kept in each shard's stream, about. Default 10,000. */
  readonly eventsKept?: number;
}

/**
 * Has the backends asked again about a user's sessions, where their credentials may be used again; no session is ended.
 * Returns his sessions, 1,000 at most. Rejects as Redis does.
 */
export async function refreshUser(
  redis: RedisClient,
  namespace: string,
  user: string,
  { shards, reusable, eventsKept = KEPT }: RefreshOptions,
): Promise<readonly RefreshedSession[]> {
  const shard = userShardOf(namespace, user, shards);
  const keys = [
    aliveKey(shard),
    userKey(shard, namespace, boundUser(namespace, user)),
    `usher:due:{${shard}}`,
  ];
  const reply = (await redis.run(REFRESH, keys, [MOST, eventsKept, ...reusable], TIMEOUT)) as (
    string | number
  )[];
  const sessions: RefreshedSession[] = [];
  for (let i = 0; i + 2 < reply.length; i += 3) {
    const [backend = '', viewerKey = '', again] = reply.slice(i, i + 3);
    sessions.push({ backend: String(backend), viewerKey: String(viewerKey), askedAgain: again === 1 });
  }
  return sessions;
}
