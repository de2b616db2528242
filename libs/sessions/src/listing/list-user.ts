import type { RedisClient } from '#usher/redis';
import { userKey } from '#usher/redis';
import type { Session } from '#usher/domain';
import type { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { boundName, boundUser, nameOf, userShardOf } from '../registry/session-names.js';
import type { ListPosition } from './list-position.js';
import { BEGINNING, writeCursor } from './list-position.js';
import { LIST_PATIENCE, LOOK_PER_PAGE } from './session-query.js';
import type { SessionPage, SessionQuery } from './session-query.js';

/** Records read at once. */
const AT_ONCE = 50;

/** The sessions of one user: all in one hash of one shard, by edge and session id. */
export async function listUser(
  redis: RedisClient,
  registry: RedisSessionRegistry,
  query: SessionQuery,
  limit: number,
  start: ListPosition,
): Promise<SessionPage> {
  const { namespace, user } = query.user!;
  const key = userKey(userShardOf(namespace, user, registry.shards), namespace, boundUser(namespace, user));
  const members = ((await redis.call('HKEYS', [key], LIST_PATIENCE)) as string[])
    .filter((member) => member > start.member)
    .sort();
  const sessions: Session[] = [];
  let looked = 0;
  while (looked < members.length && looked < LOOK_PER_PAGE && sessions.length < limit) {
    const batch = members.slice(looked, looked + Math.min(AT_ONCE, limit - sessions.length));
    looked += batch.length;
    const names = batch.map(nameOf).filter((name) => name !== undefined);
    for (const session of await Promise.all(names.map((name) => registry.read(name)))) {
      if (session !== undefined && matches(session, query)) sessions.push(session);
    }
  }
  if (looked >= members.length) return { sessions };
  return { sessions, cursor: writeCursor({ ...BEGINNING, member: members[looked - 1]! }) };
}

function matches(session: Session, query: SessionQuery): boolean {
  return (
    session.user === boundUser(query.user!.namespace, query.user!.user) &&
    (query.channel === undefined || session.channel === boundName(query.channel)) &&
    (query.edge === undefined || session.edge === query.edge) &&
    (query.ip === undefined || session.ip === query.ip) &&
    (query.state === undefined || session.state === query.state) &&
    (query.source === undefined || session.source === query.source) &&
    (query.presence === undefined || session.presence === query.presence)
  );
}
