import { digest } from '#usher/domain';
import type { Clock, Log, Random, Session, SessionName } from '#usher/domain';
import type { CutResult, EdgeCutters, GivenUpCut, GivenUpCuts } from '#usher/sessions';
import type { JobQueue, WorkedJob } from '../queues/job-queue.js';
import type { Queues } from '../queues/queues.js';
import { ordersOf, readOrder } from './cut-order.js';
import type { CutOrder, CutOutcome, CutSession, OnCut, SingleOrder } from './cut-order.js';
import { EdgeTurns } from './edge-turns.js';

const QUEUE = 'cuts';
/** Orders that wait or are worked on, at most, about: a page of sessions each. */
const MAX_ORDERS = 10_000;
/** Orders worked on at once in this process; they wait for edges most of the time. */
const AT_ONCE = 128;
const AT_ONCE_AT_AN_EDGE = 4;
/** Time ends an order, not their number. */
const ATTEMPTS = 1_000_000;
/** Sessions of a page that are looked up, or told of, side by side. */
const SIDE_BY_SIDE = 20;
const NOT_COME_TO = 'its edge is too slow for so many';
/** Who was not come to, because the edge has enough to do or is slow, waits so much longer, times `giveUpAfter`. */
const PATIENCE_AT_BUSY = 10;
/** And comes back after this at the latest, times `busyWait`. */
const LONGEST_BUSY = 8;

type Named = CutOrder['sessions'][number];
type Results = readonly (CutResult | undefined)[];
type Ended = readonly [CutSession, CutOutcome];

export interface CutTiming {
  /** An order is tried for so long, ms. Default 60,000. */
  readonly giveUpAfter?: number;
  /** Before the second try, ms; then each wait doubles the time since the order. Default 1,000. */
  readonly firstWait?: number;
  /** Where its edge has enough to do, ms; longer the longer it lasts. Default 250. */
  readonly busyWait?: number;
}

export interface CutJobParts {
  readonly queues: Pick<Queues, 'open'>;
  readonly cutters: Pick<EdgeCutters, 'cutAll'>;
  /** The registry's session of this name, whoever's it is. */
  readonly read: (name: SessionName) => Promise<Session | undefined>;
  readonly givenUp: Pick<GivenUpCuts, 'keep'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onResult: OnCut;
  readonly timing?: CutTiming;
}

/** There are too many orders: some edges answer nobody, or somebody kicks in a loop. */
export class TooManyCutsError extends Error {
  readonly code = 'TOO_MANY_CUTS';
  override readonly name = 'TooManyCutsError';
}

/** The order is tried again, so much later. */
class NotYetError extends Error {
  override readonly name = 'NotYetError';

  constructor(
    message: string,
    readonly wait: number,
  ) {
    super(message);
  }
}

/**
 * Tells edges to cut sessions, from a queue that all controls share, a page of sessions of one edge an order: for about a
 * minute, with growing waits, then what is left of it is given up and said. An edge that hangs delays no other. What is cut
 * is the session that was meant: where the registry has none of that name and fingerprint any more, or it was let in
 * again, nobody is cut.
 */
export class CutJob {
  readonly #queue: JobQueue<CutOrder | SingleOrder>;
  readonly #turns = new EdgeTurns(AT_ONCE_AT_AN_EDGE);
  /** By edge: what was said of it last. */
  readonly #troubles = new Map<string, string>();
  readonly #timing: Required<CutTiming>;

  constructor(private readonly parts: CutJobParts) {
    this.#timing = { giveUpAfter: 60_000, firstWait: 1_000, busyWait: 250, ...parts.timing };
    this.#queue = parts.queues.open<CutOrder | SingleOrder>({
      name: QUEUE,
      work: (job, signal) => this.#work(job, signal),
      concurrency: AT_ONCE,
      attempts: ATTEMPTS,
      backoff: (_attempt, error) => (error instanceof NotYetError ? error.wait : this.#timing.firstWait),
    });
  }

  /**
   * Resolves when the orders are stored; the same order is stored once. Rejects while Redis is away, and with
   * TooManyCutsError: then no order is stored.
   */
  async requestCuts(sessions: readonly CutSession[]): Promise<void> {
    if (sessions.length === 0) return;
    const orders = ordersOf(sessions, this.parts.clock.now());
    const { waiting, delayed, active } = await this.#queue.counts();
    if (waiting + delayed + active + orders.length > MAX_ORDERS) {
      throw new TooManyCutsError(`${MAX_ORDERS} orders to cut sessions wait already`);
    }
    await this.#queue.addAll(orders.map((data) => ({ data, options: { id: idOf(data) } })));
  }

  /** What could not even be ordered: kept for people, and told. Rejects while Redis is away. */
  async giveUp(sessions: readonly CutSession[], detail: string): Promise<void> {
    const untold = await this.#end(sessions.map((session) => [session, { kind: 'given-up', detail }]));
    if (untold.length > 0) throw new Error(`of ${untold.length} sessions it could not be told: ${detail}`);
  }

  async #work(
    { data, failures, update }: WorkedJob<CutOrder | SingleOrder>,
    signal: AbortSignal,
  ): Promise<void> {
    const order = readOrder(data);
    const { edge, sessions } = order;
    const results = await this.#inTurn(order, failures, signal);
    signal.throwIfAborted();
    const wait = this.#waitOf(order);
    const ended: Ended[] = [];
    const untried: Named[] = [];
    const failed: Named[] = [];
    for (const [at, session] of sessions.entries()) {
      const result = results[at];
      const outcome = outcomeOf(result, result === undefined ? this.#isLost(order) : wait <= 0);
      if (outcome !== undefined) ended.push([{ ...session, edge }, outcome]);
      else if (result === undefined) untried.push(session);
      else failed.push(session);
    }
    const untold = await this.#end(ended);
    // Who was not come to is first the next time.
    const rest = [...untried, ...failed, ...untold];
    if (rest.length === 0) return;
    if (rest.length < sessions.length) await update({ ...order, sessions: rest });
    // An edge that gets on is gone on with at once.
    const { busyWait, firstWait } = this.#timing;
    const isGettingOn = untried.length > 0 && ended.length > 0;
    throw new NotYetError(detailOf(results), isGettingOn ? busyWait : wait > 0 ? wait : firstWait);
  }

  /** What became of each; undefined: it was not come to. */
  async #inTurn(order: CutOrder, failures: number, signal: AbortSignal): Promise<Results> {
    const leave = this.#turns.take(order.edge);
    if (leave === undefined) return this.#busy(order, failures);
    try {
      return await this.#cut(order, signal);
    } finally {
      leave();
    }
  }

  async #cut({ edge, sessions }: CutOrder, signal: AbortSignal): Promise<Results> {
    const meant = await inGroups(sessions, (session) => this.#meant({ ...session, edge }));
    const there = meant.filter((session) => session !== undefined);
    const results = there.length === 0 ? [] : await this.parts.cutters.cutAll(edge, there, signal);
    const byMeant = new Map(there.map((session, at) => [session, results[at]]));
    return meant.map((session) => (session === undefined ? { kind: 'gone' } : byMeant.get(session)));
  }

  #busy(order: CutOrder, failures: number): Results {
    if (!this.#isLost(order)) {
      const wait = this.#timing.busyWait * Math.min(failures + 1, LONGEST_BUSY);
      throw new NotYetError('its edge has enough to do', this.#about(wait));
    }
    const detail = 'its edge had enough to do all the time';
    return order.sessions.map(() => ({ kind: 'failed', detail, retry: false }));
  }

  /** The session that the registry has, if it is the one that was to be cut. */
  async #meant({ edge, sessionId, fingerprint }: CutSession): Promise<Session | undefined> {
    const session = await this.parts.read({ edge, sessionId });
    return session?.state === 'revoked' && session.fingerprint === fingerprint ? session : undefined;
  }

  /** Keeps, logs and tells what became of sessions. Returns those of whom it could not be told. */
  async #end(ended: readonly Ended[]): Promise<Named[]> {
    const { log, onResult, givenUp } = this.parts;
    await givenUp.keep(...ended.flatMap(notCut));
    const untold: Named[] = [];
    await inGroups(ended, async ([session, outcome]) => {
      const { edge, ...named } = session;
      const { sessionId, reason } = session;
      if (outcome.kind === 'given-up') this.#complain(session, outcome.detail);
      if (outcome.kind === 'cut' && this.#troubles.delete(edge))
        log.info({ edge }, 'the edge cuts sessions again');
      log.debug({ edge, sessionId, reason, outcome: outcome.kind }, 'a session was to be cut');
      try {
        await onResult(session, outcome);
      } catch (error) {
        log.debug(
          { error, edge, sessionId },
          'what became of a session could not be told; it is tried again',
        );
        untold.push(named);
      }
    });
    return untold;
  }

  /** Only what changed at an edge is logged; each session that was not cut is kept for people. */
  #complain({ edge, sessionId, reason }: CutSession, detail: string): void {
    if (this.#troubles.get(edge) === detail) return;
    this.#troubles.set(edge, detail);
    this.parts.log.warn({ edge, sessionId, reason, why: detail }, 'the edge did not cut a session');
  }

  /** As long again as it has waited, and a last try when its time is up; 0: it is up. */
  #waitOf(order: CutOrder): number {
    const { giveUpAfter, firstWait } = this.#timing;
    const left = this.#left(order);
    return left <= 0 ? 0 : Math.min(left, this.#about(Math.max(firstWait, giveUpAfter - left)));
  }

  /** It has waited for an edge that had enough to do, or was too slow, for as long as it may. */
  #isLost(order: CutOrder): boolean {
    const { giveUpAfter } = this.#timing;
    return this.#left(order) <= giveUpAfter * (1 - PATIENCE_AT_BUSY);
  }

  #left({ requestedAt }: CutOrder): number {
    return Math.ceil(requestedAt + this.#timing.giveUpAfter - this.parts.clock.now());
  }

  /** Up to a fifth less, so that orders of one moment do not return together. */
  #about(wait: number): number {
    return wait * (1 - this.parts.random() / 5);
  }
}

function idOf({ edge, sessions }: CutOrder): string {
  return digest('cut', edge, ...sessions.flatMap(({ sessionId, fingerprint }) => [sessionId, fingerprint]));
}

/** Undefined: it is tried again. */
function outcomeOf(result: CutResult | undefined, isOver: boolean): CutOutcome | undefined {
  if (result !== undefined && result.kind !== 'failed') return result;
  if (!isOver && (result === undefined || result.retry)) return undefined;
  return { kind: 'given-up', detail: result?.detail ?? NOT_COME_TO };
}

function detailOf(results: Results): string {
  const failed = results.find((result) => result?.kind === 'failed');
  return failed?.kind === 'failed' ? failed.detail : NOT_COME_TO;
}

function notCut([{ edge, sessionId, reason }, outcome]: Ended): GivenUpCut[] {
  if (outcome.kind !== 'cannot' && outcome.kind !== 'given-up') return [];
  return [{ edge, sessionId, reason, outcome: outcome.kind, detail: outcome.detail }];
}

/** Some at a time. */
async function inGroups<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += SIDE_BY_SIDE)
    results.push(...(await Promise.all(items.slice(from, from + SIDE_BY_SIDE).map(work))));
  return results;
}
