import { setTimeout as delay } from 'node:timers/promises';
import type { BackendConfig } from '#usher/config';
import type { BackendAnswer, Check, Clock, Log } from '#usher/domain';
import type { Adapter } from '../adapters/adapter.js';
import type { Breaker } from '../breaker/breaker.js';
import type { Cluster } from '../breaker/cluster.js';
import { outcomeOf } from '../breaker/outcome.js';
import type { BreakerState } from '../breaker/record.js';
import type { Guard } from './guard.js';
import { Bulkhead } from './bulkhead.js';
import { Pacer } from './pacer.js';
import { type Refusal, refuse } from './refusals.js';
import type { Suspicion } from './suspicion.js';
import { UsualTime } from './usual-time.js';

/** Kept apart from a question's time, so that the answer of its call is on its way back by then, ms. */
const WAY_BACK = 25;
/** … and no more than this of what is left for the call. */
const WAY_BACK_SHARE = 1 / 8;
/** Whom something else lets in at once waits no longer for a better answer, ms. */
const PLAYS_ANYWAY = 250;
/**
 * Where no pace is configured a backend set one by saying that it is busy, and whoever took the question from its lane is
 * waited for no longer than for a call: ms.
 */
const SLOWED = 500;

export interface GateAskOptions {
  /** By the monotonic clock, ms: whoever asks waits no longer. A call under way goes on: see `onLate`. */
  readonly deadline: number;
  /** What the question has spent on its way here, ms: like the wait for a place it is our time. Default 0. */
  readonly onTheWay?: number;
  /** Was allowed by this backend lately. */
  readonly known: boolean;
  /** Without an answer, because of us, its viewer is let in on what is known: he does not wait in line for long. */
  readonly playsAnyway?: boolean;
  /** Waits in line at most so long, ms: somebody else can be asked then. Default: while there is time for a call. */
  readonly maxWait?: number;
  /** This question is the cluster's one probe, under this lease: it waits for nobody, and is not cancelled. */
  readonly probeLease?: string;
  /** Mode observe: breaker, pacer and bulkhead hear of it, but none keeps it back. */
  readonly unguarded?: boolean;
  /**
   * A canary, and no viewer: pacer and bulkhead hear of it, breaker and guard do not, and a suspended breaker does not
   * keep it back: whoever sends it knows when to.
   */
  readonly canary?: boolean;
  /** Nobody waits for it at a player: it takes of the pace what the others leave. */
  readonly last?: boolean;
  /** It is about a session that was allowed before. */
  readonly again?: boolean;
  /** Nobody wants the answer any longer: another member of the group allowed. */
  readonly signal?: AbortSignal;
}

export interface BackendGateOptions {
  readonly adapter: Pick<Adapter, 'name' | 'ask'>;
  readonly config: Pick<BackendConfig, 'timeout' | 'maxCalls' | 'pace'>;
  readonly breaker: Breaker;
  readonly guard: Guard;
  readonly clock: Clock;
  readonly log: Log;
  readonly cluster: Pick<Cluster, 'callShare'>;
  /** An operator took it out of use: it is not asked, but in mode observe, and what it says then counts for nothing. */
  readonly isSwitched: () => boolean;
  /** The answer of a call whose asker went at its deadline: it settles the session. Only allow and deny. */
  readonly onLate: (check: Check, answer: BackendAnswer) => void;
  /** Questions that may wait for a place. Default 256. */
  readonly maxQueue?: number;
}

/** How questions ended, since the start. */
export type GateResult = 'allow' | 'deny' | 'failed' | 'busy' | Refusal;

export interface GateStatus {
  readonly backend: string;
  readonly state: BreakerState;
  /** Cluster time of the last turn, ms. */
  readonly since: number;
  /** Redis is away: this process decides by itself. */
  readonly alone: boolean;
  /** This process does not reach the backend, others do. */
  readonly isolated: boolean;
  readonly inFlight: number;
  /** Places for calls of this process. */
  readonly places: number;
  readonly queued: number;
  /** Calls a second of this process; Infinity: not paced. */
  readonly pace: number;
  /** What a guard, of whichever process, or its canaries make of its answers, if anything. */
  readonly suspicion?: Suspicion;
  readonly results: Readonly<Record<GateResult, number>>;
}

/**
 * What stands around an adapter: pacer, bulkhead, breaker. What pacer and bulkhead refuse is unavailable because of us
 * and never reaches the breaker. Never rejects.
 */
export class BackendGate {
  readonly name: string;
  readonly #bulkhead: Bulkhead;
  readonly #pacer: Pacer;
  readonly #usual = new UsualTime();
  readonly #results: Record<GateResult, number> = {
    allow: 0,
    deny: 0,
    failed: 0,
    busy: 0,
    suspended: 0,
    switched: 0,
    isolated: 0,
    paced: 0,
    full: 0,
    deadline: 0,
    late: 0,
    cancelled: 0,
    broken: 0,
  };

  constructor(private readonly options: BackendGateOptions) {
    const { adapter, clock, cluster, config, maxQueue = 256 } = options;
    if (!(maxQueue >= 0)) throw new RangeError(`${adapter.name}: maxQueue: 0 or more`);
    this.name = adapter.name;
    this.#bulkhead = new Bulkhead(() => this.#places(), maxQueue);
    this.#pacer = new Pacer(clock, () => (config.pace ?? Infinity) * cluster.callShare(adapter.name));
  }

  get switched(): boolean {
    return this.options.isSwitched();
  }

  get isolated(): boolean {
    return this.options.breaker.isolated;
  }

  /** Calls that could begin now without waiting: a worker reads no more questions than that. */
  get free(): number {
    return Math.max(0, this.#places() - this.#bulkhead.inFlight - this.#bulkhead.queued);
  }

  /** Asks the backend, or says why not. */
  async ask(check: Check, given: GateAskOptions): Promise<BackendAnswer> {
    const startedAt = this.options.clock.monotonic();
    const options = given.unguarded === true ? await this.#volunteer(given) : given;
    const refusal = await this.#enter(startedAt, options);
    if (refusal !== undefined) {
      if (options.probeLease !== undefined) void this.options.breaker.probed(options.probeLease, 'none');
      return this.#refuse(refusal, startedAt);
    }
    const call = this.#call(check, options, startedAt);
    const calledAt = this.options.clock.monotonic();
    const left = options.deadline - calledAt;
    if (left >= this.options.config.timeout) return call;
    // It is our fault where the way here and the wait for a place took more of the time than was left for the backend.
    const waited = (options.onTheWay ?? 0) + calledAt - startedAt;
    const refusalIfLate = waited > left ? 'deadline' : 'late';
    const tooLate = (): BackendAnswer => this.#refuse(refusalIfLate, startedAt);
    const late = (answer: BackendAnswer): void => {
      if (options.canary !== true) this.options.onLate(check, answer);
    };
    // Said before whoever asked gives up: whose fault it is is known here alone.
    return this.#until(left - Math.min(WAY_BACK, left * WAY_BACK_SHARE), call, tooLate, late);
  }

  status(): GateStatus {
    const { breaker } = this.options;
    return {
      backend: this.name,
      state: breaker.record.state,
      since: breaker.record.since,
      alone: breaker.alone,
      isolated: breaker.isolated,
      inFlight: this.#bulkhead.inFlight,
      places: this.#places(),
      queued: this.#bulkhead.queued,
      pace: this.#pacer.pace,
      suspicion: this.options.guard.suspicion,
      results: this.#results,
    };
  }

  /** In mode observe no gateway picks a probe: whatever is asked while the breaker is half-open offers to be it. */
  async #volunteer(options: GateAskOptions): Promise<GateAskOptions> {
    const { breaker } = this.options;
    if (this.switched || breaker.record.state !== 'half-open') return options;
    const leave = await breaker.admit(options.known);
    return leave.kind === 'probe' ? { ...options, probeLease: leave.lease } : options;
  }

  #places(): number {
    const { config, cluster } = this.options;
    return Math.max(1, Math.floor(config.maxCalls * cluster.callShare(this.name)));
  }

  /** Past breaker, pacer and bulkhead; or why not. */
  async #enter(now: number, options: GateAskOptions): Promise<Refusal | undefined> {
    const { deadline, probeLease, signal } = options;
    const kept = this.#keptBack(options);
    if (kept !== undefined) return kept;
    if (deadline <= now) return 'deadline';
    // The cluster's one probe waits for nobody, and what is only observed goes as it would without us.
    if (probeLease !== undefined || options.unguarded === true) {
      if (probeLease === undefined) this.#pacer.reserve(0);
      this.#bulkhead.enterAnyway();
      return undefined;
    }
    const patience = this.#patience(now, options);
    const isLast = options.last === true;
    const pause = isLast ? await this.#waitLast(now, deadline) : this.#pacer.reserve(this.#forPace(patience));
    if (pause === undefined) return 'paced';
    if (!isLast && pause > 0) await delay(pause);
    const entered = this.#bulkhead.enter(isLast ? patience : patience - pause, signal, isLast);
    if (entered === true) return undefined;
    if (!(await entered)) return signal?.aborted === true ? 'cancelled' : 'full';
    // While it waited the backend may have been given up.
    const keptMeanwhile = this.#keptBack(options);
    if (keptMeanwhile !== undefined) this.#bulkhead.leave();
    return keptMeanwhile;
  }

  /** How long it may wait in line, ms: while there is time left for a call as they usually are. */
  #patience(now: number, { deadline, playsAnyway, maxWait = Infinity }: GateAskOptions): number {
    const left = deadline - now;
    const usual = this.#usual.ms;
    const spare =
      usual === undefined ? left / 2 : left - Math.min(this.options.config.timeout, usual) - WAY_BACK;
    return Math.max(0, Math.min(spare, maxWait, playsAnyway === true ? PLAYS_ANYWAY : Infinity));
  }

  #forPace(patience: number): number {
    return this.options.config.pace === undefined ? Math.min(patience, SLOWED) : patience;
  }

  /** Waits for what viewers leave of the pace, half of its time; for how long, ms. Undefined: it would be too long. */
  async #waitLast(now: number, deadline: number): Promise<number | undefined> {
    const { clock } = this.options;
    const until = now + (deadline - now) / 2;
    for (let pause = this.#pacer.reserveLast(); pause > 0; pause = this.#pacer.reserveLast()) {
      if (clock.monotonic() + pause > until) return undefined;
      await delay(pause);
    }
    return clock.monotonic() - now;
  }

  #keptBack({ probeLease, unguarded, canary }: GateAskOptions): Refusal | undefined {
    if (unguarded === true) return undefined;
    if (this.switched) return 'switched';
    const refusal = this.options.breaker.refusal(probeLease);
    return canary === true && refusal === 'suspended' ? undefined : refusal;
  }

  /** The call itself, from a place taken to a place left. */
  async #call(check: Check, options: GateAskOptions, startedAt: number): Promise<BackendAnswer> {
    const { probeLease, again } = options;
    const signal = probeLease === undefined ? options.signal : undefined;
    const { clock } = this.options;
    const calledAt = clock.monotonic();
    try {
      const answer = await this.options.adapter.ask(check, {
        timeoutMs: this.options.config.timeout,
        signal,
        again,
      });
      this.#usual.observe(clock.monotonic() - calledAt);
      if (options.canary === true) return this.#heedBusy(answer);
      const judged = this.switched ? answer : this.options.guard.pass(answer, options.known);
      this.#learn(check, judged, probeLease);
      // In mode observe the edge gets the backend's own answer.
      return options.unguarded === true ? answer : judged;
    } catch (error) {
      if (probeLease !== undefined) void this.options.breaker.probed(probeLease, 'none');
      if (signal?.aborted === true) return this.#refuse('cancelled', startedAt);
      this.options.log.error({ backend: this.name, err: error }, 'an adapter broke');
      return this.#refuse('broken', startedAt);
    } finally {
      this.#bulkhead.leave();
    }
  }

  #heedBusy(answer: BackendAnswer): BackendAnswer {
    if (answer.reason === 'backend-busy') this.#pacer.slowDown();
    return answer;
  }

  #learn(check: Check, answer: BackendAnswer, probeLease: string | undefined): void {
    const outcome = outcomeOf(this.#heedBusy(answer));
    const busy = answer.reason === 'backend-busy';
    this.#results[
      answer.kind !== 'unavailable' ? answer.kind : busy ? 'busy' : outcome === 'bad' ? 'failed' : 'broken'
    ] += 1;
    if (probeLease === undefined) this.options.breaker.ended(outcome, check);
    else void this.options.breaker.probed(probeLease, this.switched ? 'none' : outcome);
  }

  /** The asker's deadline comes before the call's: an answer that comes later settles the session. */
  #until(
    left: number,
    call: Promise<BackendAnswer>,
    tooLate: () => BackendAnswer,
    late: (answer: BackendAnswer) => void,
  ): Promise<BackendAnswer> {
    return new Promise((resolve) => {
      let gone = false;
      const limit = setTimeout(
        () => {
          gone = true;
          resolve(tooLate());
        },
        Math.max(0, left),
      );
      void call.then((answer) => {
        clearTimeout(limit);
        if (!gone) resolve(answer);
        else if (answer.kind !== 'unavailable') late(answer);
      });
    });
  }

  #refuse(refusal: Refusal, startedAt: number): BackendAnswer {
    this.#results[refusal] += 1;
    return refuse(this.name, refusal, this.options.clock.monotonic() - startedAt);
  }
}
