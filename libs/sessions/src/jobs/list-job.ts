import type { Clock, Log, Random } from '#usher/domain';
import { crc16 } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import type { ListedSession } from '../presence/listed-session.js';
import type { Reconciled, Reconciler } from '../presence/reconciler.js';
import type { Leases } from './leases.js';
import { Rounds } from './rounds.js';

/** Edges are looked after in so many groups: a lease for each, not for each edge. */
export const EDGE_GROUPS = 16;
/** Who is due is looked up so often, ms. */
const LOOK_EVERY = 1_000;
/** Leases are renewed so often, ms. */
const RENEW_EVERY = 5_000;
/** Lists under way at once, of edges that answer. */
const AT_ONCE = 64;
/** Whoever has not answered by then is slow, ms: it keeps nobody who answers waiting. */
const SLOW_AFTER = 1_000;
/** Lists of slow edges under way at once, about: those that become slow meanwhile come on top. */
const SLOW_AT_ONCE = 128;
/** Of the interval, each way: so that edges do not answer all at once. */
const JITTER = 0.2;

/** An edge whose list is read. */
export interface ListedEdge {
  readonly name: string;
  /** Between two lists, ms. */
  readonly interval: number;
  /** Rejects where the list could not be had; its message says why. */
  readonly read: () => Promise<ListedSession[]>;
}

/** How the last list of an edge went. `byId` and `byFacts` count since the start: which way of matching works there. */
export interface EdgeStatus {
  readonly last?: Reconciled;
  /** Why the last list could not be had, or be used; empty: it could. */
  readonly trouble: string;
  readonly byId: number;
  readonly byFacts: number;
}

export interface ListJobParts {
  readonly redis: RedisClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly reconciler: Reconciler;
  /** One part for each of EDGE_GROUPS. */
  readonly leases: Leases;
  readonly edges: readonly ListedEdge[];
}

interface Turn {
  readonly edge: ListedEdge;
  readonly group: number;
  due: number;
  status: EdgeStatus;
  /** When its list was begun that is under way. */
  begunAt: number;
  /** It answered late, or not, when it was asked last. */
  isSlow: boolean;
}

/**
 * Reads the session lists of the edges that this process holds, each in its interval, and reconciles them. Where more are
 * due than can be read at once, the one that waits longest is next, as soon as another one is done. Edges that hang have
 * places of their own.
 */
export class ListJob {
  readonly #turns: Turn[];
  readonly #rounds: Rounds;
  readonly #under = new Map<Turn, Promise<void>>();
  /** Who is due, the next one last. */
  #prompt: Turn[] = [];
  #slow: Turn[] = [];
  #renewAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: ListJobParts) {
    const { clock, random, edges } = parts;
    this.#turns = edges.map((edge) => ({
      edge,
      group: crc16(edge.name) % EDGE_GROUPS,
      // The first list soon, but not all at once.
      due: clock.monotonic() + random() * Math.min(edge.interval, LOOK_EVERY * 5),
      status: { trouble: '', byId: 0, byFacts: 0 },
      begunAt: 0,
      isSlow: false,
    }));
    this.#rounds = new Rounds(LOOK_EVERY, () => this.look());
  }

  start(): void {
    if (this.#turns.length > 0) this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
    this.#prompt = [];
    this.#slow = [];
    await this.settled();
    await this.parts.leases.release().catch(() => undefined);
  }

  /** By edge: only those that this process looks after now. */
  statuses(): ReadonlyMap<string, EdgeStatus> {
    const held = this.#turns.filter((turn) => this.parts.leases.holds(turn.group));
    return new Map(held.map((turn) => [turn.edge.name, turn.status]));
  }

  /** Starts the lists that are due; what finds no place starts when another one is done. Never rejects. */
  async look(): Promise<void> {
    const { redis, clock, leases, log } = this.parts;
    if (redis.away) return;
    if (clock.monotonic() >= this.#renewAt) {
      this.#renewAt = clock.monotonic() + RENEW_EVERY;
      await leases.renew().catch((error: unknown) => log.debug({ error }, 'leases could not be renewed'));
    }
    const due: Turn[] = [];
    for (const turn of this.#turns) {
      if (!leases.holds(turn.group)) this.parts.reconciler.forget(turn.edge.name);
      else if (turn.due <= clock.monotonic() && !this.#under.has(turn)) due.push(turn);
    }
    due.sort((one, other) => one.due - other.due).reverse();
    this.#prompt = due.filter(({ isSlow }) => !isSlow);
    this.#slow = due.filter(({ isSlow }) => isSlow);
    this.#fill();
  }

  /** When no list is under way, and none waits for a place. */
  async settled(): Promise<void> {
    while (this.#under.size > 0) await Promise.all(this.#under.values());
  }

  /** As many as there are places. */
  #fill(): void {
    const now = this.parts.clock.monotonic();
    let [prompt, slow] = [0, 0];
    for (const turn of this.#under.keys()) {
      turn.isSlow ||= now - turn.begunAt >= SLOW_AFTER;
      if (turn.isSlow) slow += 1;
      else prompt += 1;
    }
    for (; prompt < AT_ONCE && this.#beginNext(this.#prompt); prompt += 1);
    for (; slow < SLOW_AT_ONCE && this.#beginNext(this.#slow); slow += 1);
  }

  #beginNext(waiting: Turn[]): boolean {
    const { redis, leases } = this.parts;
    for (let turn = waiting.pop(); turn !== undefined && !redis.away; turn = waiting.pop()) {
      if (!leases.holds(turn.group)) continue;
      this.#begin(turn);
      return true;
    }
    return false;
  }

  #begin(turn: Turn): void {
    const { clock, random } = this.parts;
    turn.begunAt = clock.monotonic();
    turn.due = turn.begunAt + turn.edge.interval * (1 - JITTER + 2 * JITTER * random());
    this.#under.set(
      turn,
      this.#list(turn).finally(() => {
        this.#under.delete(turn);
        this.#fill();
      }),
    );
  }

  async #list(turn: Turn): Promise<void> {
    const { reconciler, clock } = this.parts;
    const { name, read } = turn.edge;
    try {
      const listed = await read().finally(() => {
        turn.isSlow = clock.monotonic() - turn.begunAt >= SLOW_AFTER;
      });
      const last = await reconciler.reconcile(name, listed);
      const byId = turn.status.byId + last.byId;
      const byFacts = turn.status.byFacts + last.byFacts;
      this.#tell(turn, { last, trouble: troubleOf(last), byId, byFacts });
    } catch (error) {
      this.#tell(turn, { ...turn.status, trouble: messageOf(error) });
    }
  }

  /** Only what changed is logged. */
  #tell(turn: Turn, status: EdgeStatus): void {
    const { log } = this.parts;
    const edge = turn.edge.name;
    if (status.trouble !== turn.status.trouble) {
      if (status.trouble === '') log.info({ edge }, 'the edge’s session list is read again');
      else log.warn({ edge, why: status.trouble }, 'the edge’s session list is of no use');
    }
    if (status.last !== undefined && status.last.closed > 0 && status.last !== turn.status.last) {
      const { closed, restartedAt } = status.last;
      log.info({ edge, closed, restartedAt }, 'sessions that the edge no longer lists were closed');
    }
    turn.status = status;
  }
}

function troubleOf({ distrusted }: Reconciled): string {
  return distrusted === 'not-ours' ? 'most of what it lists are not our sessions' : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'failed';
}
