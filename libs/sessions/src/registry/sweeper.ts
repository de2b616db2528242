import type { SessionName } from '#usher/domain';
import { aliveKey, eventsKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import type { RedisSessionRegistry, Revoked } from './redis-session-registry.js';
import { recountSessions } from './session-counts.js';
import { countsKey, nameOf } from './session-names.js';
import { sessionScript } from './session-script.js';

const SWEEP = sessionScript('sweep-sessions-3');

/** Sessions closed by one script: about 2 ms of Redis. */
const BATCH = 100;
const PATIENCE = 1_000;

export interface SweepOptions {
  /** Events kept in each shard's stream, about. Default 10,000. */
  readonly eventsKept?: number;
  /** At most so many batches of 100 at one time. Default 100. */
  readonly batches?: number;
}

/** What one sweep found. `lost`: sessions without a record, whose counts were made anew. */
export interface Swept {
  readonly closed: number;
  readonly lost: number;
}

/**
 * Closes the sessions of one shard whose alive-until is over, in bounded batches. Idempotent: two sweepers of one shard
 * do no harm. Rejects as Redis does.
 */
export async function sweepShard(
  redis: RedisClient,
  registry: RedisSessionRegistry,
  shard: string,
  options: SweepOptions = {},
): Promise<Swept> {
  let closed = 0;
  let lost = 0;
  for (let batch = 0; batch < (options.batches ?? 100); batch += 1) {
    const keys = [aliveKey(shard), eventsKey(shard), countsKey(shard)];
    const reply = await redis.run(SWEEP, keys, [BATCH, options.eventsKept ?? 10_000], PATIENCE);
    const [members, without, revoked, idle] = reply as [string[], number, string[], string[]];
    closed += members.length + idle.length;
    lost += without;
    const ended = namesOf(members);
    const paused = namesOf(idle);
    registry.noteClosed(ended);
    registry.noteClosed(paused, 'idle');
    const names = [...ended, ...paused];
    await Promise.all(revokedOf(revoked).map((one) => registry.bury(one)));
    await Promise.all(names.map((name) => registry.forgetWhere(name, shard)));
    if (members.length + idle.length + without < BATCH) break;
  }
  if (lost > 0) await recountSessions(redis, shard);
  return { closed, lost };
}

function namesOf(members: readonly string[]): SessionName[] {
  return members.map(nameOf).filter((name) => name !== undefined);
}

/** In: member, fingerprint, when, … */
function revokedOf(words: readonly string[]): Revoked[] {
  const revoked: Revoked[] = [];
  for (let i = 0; i + 2 < words.length; i += 3) {
    const name = nameOf(words[i]!);
    if (name !== undefined) revoked.push({ ...name, fingerprint: words[i + 1]!, revokedAt: words[i + 2]! });
  }
  return revoked;
}
