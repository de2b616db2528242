import { digest } from '#usher/domain';
import { encodeName } from '#usher/redis';
import { userValue } from '../registry/session-record.js';

/** Characters of a channel's name in a slot. */
const MAX_CHANNEL = 9;

/** Hash: the sessions of a user with a cap, as limit-parts.lua says; in the shard of his sessions. */
export function slotsKey(shard: string, namespace: string, user: string): string {
  return `usher:slots:{${shard}}:${userValue(namespace, user)}`;
}

/** Sorted set: the users with slots in one shard, by when their devices are to be counted again. */
export function recountKey(shard: string): string {
  return `usher:recount:{${shard}}`;
}

/** Tells one channel from another, legibly where its name is short. */
export function channelMark(channel: string): string {
  const name = encodeName(channel);
  return name.length <= MAX_CHANNEL ? name : `@${digest('channel', channel).slice(0, MAX_CHANNEL - 1)}`;
}
