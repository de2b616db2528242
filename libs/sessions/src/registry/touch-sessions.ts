import type { SessionName } from '#usher/domain';
import { aliveKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import type { RedisSessionRegistry } from './redis-session-registry.js';
import { memberOf, nameOf } from './session-names.js';
import { sessionScript } from './session-script.js';

const TOUCH = sessionScript('touch-sessions-1');

/** In one command; more would hold Redis up. */
export const TOUCHED_AT_ONCE = 500;
/** Not on anybody's way: a slow link must not lose signs of life, ms. */
const PATIENCE = 1_000;

/** A sign of life: the session is taken for alive until then (cluster time, ms). */
export interface Sign {
  readonly name: SessionName;
  readonly aliveUntil: number;
  /** It was asked about so many times more. */
  readonly checks?: number;
}

/**
 * Sends at most 500 signs of life of one shard. Returns the names that the registry has no living session for (closed,
 * expired, or lost by Redis). Rejects as Redis does; repeated it counts checks twice, else it is idempotent.
 */
export async function touchSessions(
  redis: RedisClient,
  registry: RedisSessionRegistry,
  shard: string,
  signs: readonly Sign[],
): Promise<SessionName[]> {
  if (signs.length === 0) return [];
  const args = signs.flatMap(({ name, aliveUntil, checks = 0 }) => [
    Math.round(aliveUntil),
    checks,
    memberOf(name),
  ]);
  const reply = await redis.run(TOUCH, [aliveKey(shard)], args, PATIENCE);
  const [renewed, missing] = reply as [string[], string[]];
  if (renewed.length > 0) {
    const until = new Map(signs.map((sign) => [memberOf(sign.name), sign.aliveUntil]));
    const kept = named(renewed).map((name) => ({ ...name, aliveUntil: until.get(memberOf(name)) ?? 0 }));
    await registry.keepWhere(shard, kept);
  }
  return named(missing);
}

function named(members: readonly string[]): SessionName[] {
  return members.map(nameOf).filter((name) => name !== undefined);
}
