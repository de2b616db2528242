import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Session } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { RedisSessionRegistry } from './redis-session-registry.js';

/** Written at once, then a pause. */
const BATCH = 50;

export interface HealOptions {
  /** Sessions a second. Default 2,000. */
  readonly perSecond?: number;
  /** Told of each that came too late: it was revoked since, or another one has its name. */
  readonly onLate?: (session: Session) => Promise<unknown>;
  /** Ends it early. */
  readonly signal?: AbortSignal;
  /** Waits; for tests. */
  readonly pause?: (ms: number) => Promise<unknown>;
}

/** What came of it. `failed`: garbage under their key, or Redis went away again. */
export interface Healed {
  readonly offered: number;
  readonly written: number;
  readonly failed: number;
}

/**
 * Writes back what this gateway holds and the registry lacks, paced. Opening is idempotent and never turns a record
 * worse, so every session that still lives is simply opened again. Never rejects.
 */
export async function healRegistry(
  held: Iterable<Session>,
  redis: RedisClient,
  registry: RedisSessionRegistry,
  clock: Clock,
  options: HealOptions = {},
): Promise<Healed> {
  const perSecond = options.perSecond ?? 2_000;
  if (!(perSecond > 0)) throw new RangeError(`healing: more than 0 sessions a second, not ${perSecond}`);
  const pause = options.pause ?? sleep;
  const sum = { offered: 0, written: 0, failed: 0 };
  for (const batch of inBatches(held)) {
    if (options.signal?.aborted) break;
    const living = batch.filter((session) => session.aliveUntil > clock.now());
    await redis.ready();
    const ends = await Promise.allSettled(living.map((session) => registry.openSession(session)));
    const late = living.filter((_, i) => ends[i]?.status === 'fulfilled' && ends[i].value === 'late');
    await Promise.allSettled(late.map(async (session) => options.onLate?.(session)));
    sum.offered += living.length;
    sum.failed += ends.filter((end) => end.status === 'rejected').length;
    sum.written += ends.filter((end) => end.status === 'fulfilled' && end.value === 'opened').length;
    await pause((batch.length * 1000) / perSecond);
  }
  return sum;
}

function* inBatches(held: Iterable<Session>): Generator<Session[]> {
  let batch: Session[] = [];
  for (const session of held) {
    batch.push(session);
    if (batch.length === BATCH) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
