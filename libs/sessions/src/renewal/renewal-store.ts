import type { Clock, SessionName } from '#usher/domain';
import { encodeName, script } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { memberOf, nameOf } from '../registry/session-names.js';

const KEEP = script(import.meta.url, './lua/keep-renewal-2.lua');
const TAKE = script(import.meta.url, './lua/take-due-1.lua');

/** Nobody who waits for it is in a hurry, ms. */
const TIMEOUT = 1_000;
/** A question outlives its session's time so long, ms. */
const KEPT_AFTER = 3_600_000;
/** Where no control looks, whoever was due so long ago is not asked about any more, ms. */
const OVERDUE = 86_400_000;
/** Sessions of a shard that wait to be asked about. */
const MOST = 200_000;
/** Whoever takes a session has so long to say what came of it, ms. */
const TAKEN_FOR = 60_000;

/** Whose question it is, and how long it is taken for alive, cluster time, ms. */
export interface RenewedSession extends SessionName {
  readonly aliveUntil: number;
}

/** A session that is to be asked about. */
export interface DueSession {
  readonly name: SessionName;
  /** Empty where it is gone. */
  readonly sealed: string;
}

/**
 * The questions of sessions that are asked about again, sealed, and when: in the shard of the session. Every method rejects
 * while Redis is away or late.
 */
export class RenewalStore {
  constructor(
    private readonly redis: RedisClient,
    private readonly clock: Clock,
    private readonly most = MOST,
  ) {}

  /** @param dueAt cluster time, ms */
  async keep(shard: string, session: RenewedSession, sealed: string, dueAt: number): Promise<void> {
    await this.#write(shard, session, sealed, dueAt, 'anyhow');
  }

  /** As `keep`, where no question of the session is kept: Redis lost it, or was away when it was to be kept. */
  async offer(shard: string, session: RenewedSession, sealed: string, dueAt: number): Promise<void> {
    await this.#write(shard, session, sealed, dueAt, 'if-missing');
  }

  async #write(
    shard: string,
    session: RenewedSession,
    sealed: string,
    dueAt: number,
    when: 'anyhow' | 'if-missing',
  ): Promise<void> {
    const life = Math.max(session.aliveUntil, dueAt) - this.clock.now() + KEPT_AFTER;
    const kept = Math.max(1, Math.round(life));
    const args = [memberOf(session), Math.round(dueAt), sealed, kept, when, OVERDUE, this.most];
    await this.redis.run(KEEP, [dueKey(shard), sealedKey(shard, session)], args, TIMEOUT);
  }

  /** The sessions of a shard that are due now; whoever takes one calls `again` or `drop`, or it is due again in 60 s. */
  async take(shard: string, most: number): Promise<DueSession[]> {
    const reply = await this.redis.run(TAKE, [dueKey(shard)], [most, TAKEN_FOR], TIMEOUT);
    const rows = reply as readonly string[];
    const due: DueSession[] = [];
    for (let i = 0; i + 1 < rows.length; i += 2) {
      const name = nameOf(rows[i]!);
      if (name !== undefined) due.push({ name, sealed: rows[i + 1]! });
      else await this.redis.call('ZREM', [dueKey(shard), rows[i]!], TIMEOUT);
    }
    return due;
  }

  /** @param dueAt cluster time, ms */
  async again(shard: string, name: SessionName, dueAt: number): Promise<void> {
    await this.redis.call('ZADD', [dueKey(shard), 'XX', Math.round(dueAt), memberOf(name)], TIMEOUT);
  }

  /** It is over, or asked about no more. */
  async drop(shard: string, name: SessionName): Promise<void> {
    await Promise.all([
      this.redis.call('ZREM', [dueKey(shard), memberOf(name)], TIMEOUT),
      this.redis.call('DEL', [sealedKey(shard, name)], TIMEOUT),
    ]);
  }
}

const dueKey = (shard: string): string => `usher:due:{${shard}}`;

function sealedKey(shard: string, { edge, sessionId }: SessionName): string {
  return `usher:sealed:{${shard}}:${encodeName(edge)}:${encodeName(sessionId)}`;
}
