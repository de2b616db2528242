import { digest } from '#usher/domain';
import type { Session, SessionName } from '#usher/domain';
import { decodeName, encodeName, partOf, shardOf, whereKey } from '#usher/redis';

/** No value of a session's hash is longer: 64 bytes, or Redis stores the hash at two and a half times the size. */
export const MAX_VALUE = 64;
/** Of a name that is too long so much is left, before `@` and 26 characters of digest. */
const LEGIBLE = 37;

/**
 * A name that fits into the hash once encoded: a longer one keeps its beginning and ends in a digest of the whole, so
 * that it is legible and still one of its kind. Bounding twice changes nothing.
 */
export function boundName(name: string, max = MAX_VALUE): string {
  if (name.length <= max && encodeName(name).length <= max) return name;
  let start = name.slice(0, LEGIBLE - (MAX_VALUE - max));
  while (encodeName(start).length > LEGIBLE - (MAX_VALUE - max)) start = start.slice(0, -1);
  return `${start}@${digest('name', name)}`;
}

/** The user as a session's hash, the user's key and the shard know it: `namespace/user` in one value. */
export function boundUser(namespace: string, user: string): string {
  return boundName(user, Math.max(40, MAX_VALUE - 1 - encodeName(namespace).length));
}

/** What names a session in the indexes: `<edge>:<id>`, both encoded. */
export function memberOf(name: SessionName): string {
  return `${encodeName(name.edge)}:${encodeName(name.sessionId)}`;
}

/** The other way round; undefined for what is no member's name. */
export function nameOf(member: string): SessionName | undefined {
  const colon = member.indexOf(':');
  if (colon === -1) return undefined;
  return { edge: decodeName(member.slice(0, colon)), sessionId: decodeName(member.slice(colon + 1)) };
}

/** The shard of a session that has no user, and the first place to look for any. */
export function homeShardOf(name: SessionName, shards: number): string {
  return shardOf(`${name.edge}/${name.sessionId}`, shards);
}

/** Where it stands in which shard a session is: beside its home, so that one script reads or writes both. */
export function whereKeyOf(name: SessionName, shards: number): string {
  return whereKey(homeShardOf(name, shards), wherePartOf(name, shards));
}

/** In which part of its home shard that stands. */
export function wherePartOf(name: SessionName, shards: number): string {
  return partOf(`${name.edge}/${name.sessionId}`, shards);
}

/** The shard of a user's sessions: all of them, whatever the edge. */
export function userShardOf(namespace: string, user: string, shards: number): string {
  return shardOf(`${namespace}/${boundUser(namespace, user)}`, shards);
}

/** Where a session lives: with its user, or at home while nobody is named. */
export function sessionShardOf(
  session: Pick<Session, 'edge' | 'sessionId' | 'namespace' | 'user'>,
  shards: number,
): string {
  return session.user === ''
    ? homeShardOf(session, shards)
    : userShardOf(session.namespace, session.user, shards);
}

/** All shards: 00, 01 … */
export function allShards(shards: number): string[] {
  return Array.from({ length: shards }, (_, shard) => String(shard).padStart(2, '0'));
}

/** Sorted set: the sessions of one edge in one shard, by opened-at; beyond 128 of them in parts, `:00` to `:15`. */
export function edgeKey(shard: string, edge: string): string {
  return `usher:edge:{${shard}}:${encodeName(edge)}`;
}

/** Sorted set: the edges that have sessions in one shard; score 1 for one whose sessions stand in parts too, else 0. */
export function edgesKey(shard: string): string {
  return `usher:edges:{${shard}}`;
}

/** Hash: how many sessions of one shard have each presence and each state. */
export function countsKey(shard: string): string {
  return `usher:counts:{${shard}}`;
}
