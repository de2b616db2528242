import type { Session } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import {
  listSessions,
  type RedisSessionRegistry,
  type SessionPage,
  type SessionQuery,
} from '#usher/sessions';

/** One page looks at no more sessions, and asks no more often. */
const LOOK = 2_000;
const CALLS = 25;

/** One page of the sessions that match; by address they are looked through, for there is no index. */
export async function findSessions(
  redis: RedisClient,
  registry: RedisSessionRegistry,
  query: SessionQuery,
  address: string | undefined,
): Promise<SessionPage> {
  if (address === undefined) return listSessions(redis, registry, query);
  const { limit = 100 } = query;
  const found: Session[] = [];
  let { cursor } = query;
  for (let calls = 0, looked = 0; calls < CALLS && looked < LOOK; calls += 1) {
    // No more than there is room for: the cursor stands after the last that was looked at.
    const page = await listSessions(redis, registry, { ...query, cursor, limit: limit - found.length });
    looked += Math.max(1, page.sessions.length);
    found.push(...page.sessions.filter(({ ip }) => ip === address));
    ({ cursor } = page);
    if (cursor === undefined || found.length === limit) break;
  }
  return { sessions: found, cursor };
}
