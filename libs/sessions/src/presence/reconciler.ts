import type { Clock, CloseReason, Session } from '#usher/domain';
import { aliveKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { KEPT } from '../events/event-writer.js';
import { listSessions } from '../listing/list-sessions.js';
import type { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { restartedAt } from '../registry/restarts.js';
import { memberOf } from '../registry/session-names.js';
import { sessionScript } from '../registry/session-script.js';
import { TOUCHED_AT_ONCE, touchSessions } from '../registry/touch-sessions.js';
import type { ListedSession } from './listed-session.js';
import { matchSessions } from './match-sessions.js';

const MARK = sessionScript('mark-listed-1');

/** A younger session may be missing from a list that was made meanwhile, ms. */
const YOUNG = 10_000;
const PATIENCE = 2_000;
/** Closed at once. */
const CLOSED_AT_ONCE = 50;

export interface ReconcilerOptions {
  /** A listed session is taken for alive so long without a further list, ms (`gateway.assumedLife`). */
  readonly life: number;
  /** The same of one that asks by itself, ms: who is listed and has gone is not closed by a list. Default `life`. */
  readonly seenLifeOf?: (edge: string) => number;
  /** Events kept in each shard's stream, about. Default 10,000. */
  readonly eventsKept?: number;
}

/** What one list said. `byId`, `byFacts`: what worked to recognize ours. */
export interface Reconciled {
  readonly listed: number;
  readonly ours: number;
  readonly byId: number;
  readonly byFacts: number;
  readonly foreign: number;
  readonly closed: number;
  /** Why the list closed nothing: it lists mostly others' sessions, or nothing, and no restart was seen. */
  readonly distrusted?: 'not-ours' | 'empty';
  /** When the edge restarted, where its ids tell so. */
  readonly restartedAt?: number;
}

/**
 * Makes the registry's sessions of an edge what the edge's own list says: listed ones live on, and those that two lists
 * in a row lack are closed. A list that may be another edge's, or an Astra's that has just started, closes nothing.
 */
export class Reconciler {
  /** By edge: who was absent from its last list, by session name, with the fingerprint that was meant. */
  readonly #absent = new Map<string, Map<string, string>>();

  constructor(
    private readonly redis: RedisClient,
    private readonly registry: RedisSessionRegistry,
    private readonly clock: Clock,
    private readonly options: ReconcilerOptions,
  ) {
    if (!(options.life > 0)) throw new RangeError(`a listed session’s life: over 0 ms, not ${options.life}`);
  }

  /** Forgets what earlier lists said: for an edge that another process looks after now. */
  forget(edge: string): void {
    this.#absent.delete(edge);
  }

  /** `listed` as the edge said it a moment ago. Rejects as Redis does; nothing is half done that the next list does not mend. */
  async reconcile(edge: string, listed: readonly ListedSession[]): Promise<Reconciled> {
    const now = this.clock.now();
    const ours = await this.#sessionsOf(edge);
    const { sessions, ...how } = matchSessions(listed, ours, now);
    await this.#keepAlive(sessions, now);
    const restart = await restartedAt(this.redis, edge, ours.length, PATIENCE);
    const distrusted =
      listed.length === 0
        ? restart === undefined
          ? 'empty'
          : undefined
        : sessions.length * 2 < listed.length
          ? 'not-ours'
          : undefined;
    const closed =
      distrusted === undefined ? await this.#closeAbsent(edge, ours, sessions, now, listed, restart) : 0;
    return { listed: listed.length, ours: ours.length, ...how, closed, distrusted, restartedAt: restart };
  }

  async #sessionsOf(edge: string): Promise<Session[]> {
    const sessions: Session[] = [];
    let cursor: string | undefined;
    do {
      const page = await listSessions(this.redis, this.registry, { edge, limit: 500, cursor });
      sessions.push(...page.sessions);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return sessions;
  }

  async #keepAlive(sessions: readonly Session[], now: number): Promise<void> {
    const { life, seenLifeOf = () => life, eventsKept = KEPT } = this.options;
    for (const [shard, group] of this.#byShard(sessions)) {
      for (let from = 0; from < group.length; from += TOUCHED_AT_ONCE) {
        const batch = group.slice(from, from + TOUCHED_AT_ONCE);
        const assumed = batch.filter((session) => session.presence === 'assumed').map(memberOf);
        if (assumed.length > 0)
          await this.redis.run(MARK, [aliveKey(shard)], [eventsKept, ...assumed], PATIENCE);
        const signs = batch.map((session) => ({
          name: session,
          aliveUntil: now + (session.presence === 'seen' ? seenLifeOf(session.edge) : life),
        }));
        await touchSessions(this.redis, this.registry, shard, signs);
      }
    }
  }

  #byShard(sessions: readonly Session[]): Map<string, Session[]> {
    const groups = new Map<string, Session[]>();
    for (const session of sessions) {
      const shard = this.registry.shardOf(session);
      const group = groups.get(shard);
      if (group === undefined) groups.set(shard, [session]);
      else group.push(session);
    }
    return groups;
  }

  async #closeAbsent(
    edge: string,
    ours: readonly Session[],
    present: readonly Session[],
    now: number,
    listed: readonly ListedSession[],
    restart: number | undefined,
  ): Promise<number> {
    const isPresent = new Set(present);
    const before = this.#absent.get(edge);
    const absent = new Map<string, string>();
    const over: Session[] = [];
    for (const session of ours) {
      // Who asks by itself is heard; who is young may have come after the list was made.
      if (isPresent.has(session) || session.presence === 'seen' || session.openedAt > now - YOUNG) continue;
      absent.set(session.sessionId, session.fingerprint);
      const isOld = restart !== undefined && session.openedAt < restart;
      if (listed.length === 0 ? isOld : before?.get(session.sessionId) === session.fingerprint)
        over.push(session);
    }
    this.#absent.set(edge, absent);
    let closed = 0;
    for (let from = 0; from < over.length; from += CLOSED_AT_ONCE) {
      const batch = over.slice(from, from + CLOSED_AT_ONCE);
      const ends = await Promise.all(batch.map((session) => this.#close(session, restart)));
      closed += ends.filter(Boolean).length;
    }
    return closed;
  }

  #close(session: Session, restart: number | undefined): Promise<boolean> {
    const reason: CloseReason =
      restart !== undefined && session.openedAt < restart ? 'edge-restarted' : 'closed-by-edge';
    return this.registry.close(session, reason, { fingerprint: session.fingerprint });
  }
}
