import { digest } from '#usher/domain';
import type { Clock, CloseReason, Log, Random, Session, SessionName } from '#usher/domain';
import type { CutResult, EdgeCutters, GivenUpCuts } from '#usher/sessions';
import type { JobQueue, WorkedJob } from '../queues/job-queue.js';
import type { Queues } from '../queues/queues.js';
import type { CutOrder, CutOutcome, OnCut } from './cut-order.js';
import { EdgeTurns } from './edge-turns.js';

const QUEUE = 'cuts';
/** Orders that wait or are worked on, at most, about. */
const MAX_ORDERS = 10_000;
/** Orders worked on at once in this process; they wait for edges most of the time. */
const AT_ONCE = 128;
const AT_ONCE_AT_AN_EDGE = 4;
/** Time ends an order, not their number. */
const ATTEMPTS = 1_000_000;

export interface CutTiming {
  /** An order is tried for so long, ms. Default 60,000. */
  readonly giveUpAfter?: number;
  /** Before the second try, ms; then each wait doubles the time since the order. Default 1,000. */
  readonly firstWait?: number;
  /** Where its edge has enough to do, ms. Default 250. */
  readonly busyWait?: number;
}

export interface CutJobParts {
  readonly queues: Pick<Queues, 'open'>;
  readonly cutters: Pick<EdgeCutters, 'cut'>;
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
 * Tells edges to cut sessions, from a queue that all controls share: for about a minute, with growing waits, then it is
 * given up and said. An edge that hangs delays no other. What is cut is the session that was meant: where the registry
 * has none of that name and fingerprint any more, or it was let in again, nobody is cut.
 */
export class CutJob {
  readonly #queue: JobQueue<CutOrder>;
  readonly #turns = new EdgeTurns(AT_ONCE_AT_AN_EDGE);
  /** By edge: what was said of it last. */
  readonly #troubles = new Map<string, string>();
  readonly #timing: Required<CutTiming>;

  constructor(private readonly parts: CutJobParts) {
    this.#timing = { giveUpAfter: 60_000, firstWait: 1_000, busyWait: 250, ...parts.timing };
    this.#queue = parts.queues.open<CutOrder>({
      name: QUEUE,
      work: (job, signal) => this.#work(job, signal),
      concurrency: AT_ONCE,
      attempts: ATTEMPTS,
      backoff: (_attempt, error) => (error instanceof NotYetError ? error.wait : this.#timing.firstWait),
    });
  }

  /**
   * Resolves when the order is stored; the same session is ordered once. Rejects while Redis is away, and with
   * TooManyCutsError.
   */
  async requestCut(
    session: SessionName & Pick<CutOrder, 'fingerprint' | 'shard'>,
    reason: CloseReason,
  ): Promise<void> {
    const { edge, sessionId, fingerprint, shard } = session;
    const { waiting, delayed, active } = await this.#queue.counts();
    if (waiting + delayed + active >= MAX_ORDERS) {
      throw new TooManyCutsError(`${MAX_ORDERS} sessions are to be cut already`);
    }
    const order = { edge, sessionId, fingerprint, shard, reason, requestedAt: this.parts.clock.now() };
    await this.#queue.add(order, { id: digest('cut', edge, sessionId, fingerprint) });
  }

  async #work({ data: order }: WorkedJob<CutOrder>, signal: AbortSignal): Promise<void> {
    const result = await this.#inTurn(order, signal);
    signal.throwIfAborted();
    if (result.kind !== 'failed') return this.#end(order, result);
    const wait = result.retry ? this.#waitOf(order) : 0;
    if (wait > 0) throw new NotYetError(result.detail, wait);
    await this.#giveUp(order, result.detail);
  }

  async #inTurn(order: CutOrder, signal: AbortSignal): Promise<CutResult> {
    const leave = this.#turns.take(order.edge);
    if (leave === undefined) {
      const { busyWait } = this.#timing;
      if (this.#left(order) > 0) throw new NotYetError('its edge has enough to do', this.#about(busyWait));
      return { kind: 'failed', detail: 'its edge had enough to do all the time', retry: false };
    }
    try {
      const session = await this.parts.read(order);
      const isMeant = session?.state === 'revoked' && session.fingerprint === order.fingerprint;
      if (!isMeant) return { kind: 'gone' };
      return await this.parts.cutters.cut(session, signal);
    } finally {
      leave();
    }
  }

  async #end(order: CutOrder, outcome: CutOutcome): Promise<void> {
    const { edge, sessionId, reason } = order;
    const { log, onResult } = this.parts;
    if (outcome.kind === 'cut' && this.#troubles.delete(edge))
      log.info({ edge }, 'the edge cuts sessions again');
    log.debug({ edge, sessionId, reason, outcome: outcome.kind }, 'a session was to be cut');
    await onResult(order, outcome);
  }

  /** Only what changed at an edge is logged; each order that was given up is kept for people. */
  async #giveUp(order: CutOrder, detail: string): Promise<void> {
    const { edge, sessionId, reason } = order;
    const { log, givenUp } = this.parts;
    if (this.#troubles.get(edge) !== detail) {
      this.#troubles.set(edge, detail);
      log.warn({ edge, sessionId, reason, why: detail }, 'the edge did not cut a session');
    }
    await givenUp.keep({ edge, sessionId, reason, detail });
    await this.#end(order, { kind: 'given-up', detail });
  }

  /** As long again as it has waited, and a last try when its time is up; 0: it is up. */
  #waitOf(order: CutOrder): number {
    const { giveUpAfter, firstWait } = this.#timing;
    const left = this.#left(order);
    return left <= 0 ? 0 : Math.min(left, this.#about(Math.max(firstWait, giveUpAfter - left)));
  }

  #left({ requestedAt }: CutOrder): number {
    return Math.ceil(requestedAt + this.#timing.giveUpAfter - this.parts.clock.now());
  }

  /** Up to a fifth less, so that orders of one moment do not return together. */
  #about(wait: number): number {
    return wait * (1 - this.parts.random() / 5);
  }
}
