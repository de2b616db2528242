import type { Because, Check, Clock, Log, Session, SessionName, Source } from '#usher/domain';
import { Rounds } from '../jobs/rounds.js';
import { playedIn, sumOfTotals } from './ledger-totals.js';
import { LocalOutage, type SealCheck } from './local-outage.js';
import { columnOfSource, type OutageFault } from './outage-line.js';
import { outageId, type OutageName } from './outage-names.js';
import type { OutageStore } from './outage-store.js';
import type { TellOutage } from './outage-events.js';
import { TrustLimit, type TrustLimits } from './trust-limit.js';

/** Lines written by one script: about 2 ms of Redis. */
const BATCH = 200;
/** Scripts in one round. */
const BATCHES = 10;
/** A process that has nothing to write says so often that it is still there, ms. */
const WORD_EVERY = 2_000;
/** An outage that no breaker saw is over when nobody was answered without a decision for so long, ms. */
export const QUIET = 60_000;
/** What was decided before an end was heard of belongs to that outage, ms: about one deadline. */
const STRAGGLERS = 3_000;
/** So long afterwards it is noted what becomes of those who ask again, ms. */
const RESULTS_FOR = 600_000;

/** What the gateway's answer came to. */
export interface LedgerAnswer {
  readonly allow: boolean;
  readonly source: Source;
  readonly because?: Because;
  readonly backend?: string;
  /** An operator switched the backend: by itself that is no outage, but one that lasts goes on. */
  readonly switched?: boolean;
  readonly fingerprint?: string;
  /** Of an allow. */
  readonly session?: Session;
}

/** A breaker as it is now. */
export interface BreakerTurn {
  readonly closed: boolean;
  /** Cluster time of the turn, ms. */
  readonly since: number;
  /** Since when it is not closed; 0 while it is. */
  readonly downSince: number;
}

export interface OutageLedgerParts {
  readonly store: OutageStore;
  readonly clock: Clock;
  readonly log: Log;
  /** This process; [A-Za-z0-9._@-]. */
  readonly node: string;
  readonly tell: TellOutage;
  readonly seal: SealCheck;
  /** Backends whose sessions are asked about afterwards: their checks are kept sealed. */
  readonly rechecked: ReadonlySet<string>;
  readonly limits: ReadonlyMap<string, TrustLimits>;
  /** Processes that may write the same ledgers, and when they were heard of last: cluster time, ms. */
  readonly peers: () => ReadonlyMap<string, number>;
  /** Sessions remembered at most. */
  readonly most: number;
  /** Between two rounds, ms. Default 1,000. */
  readonly every?: number;
}

/**
 * What one gateway knows of outages: who was let in without a decision, by backend and by whose fault it is. It is
 * written to Redis in batches; while Redis is away it waits here.
 */
export class OutageLedger {
  readonly #lasting = new Map<string, LocalOutage>();
  #ended: LocalOutage[] = [];
  readonly #turns = new Map<string, BreakerTurn>();
  readonly #trust = new Map<string, TrustLimit>();
  readonly #peers = new WeakMap<LocalOutage, ReadonlyMap<string, number>>();
  /** Everybody who was heard of while it lasted. */
  readonly #heard = new WeakMap<LocalOutage, Set<string>>();
  readonly #saidAt = new WeakMap<LocalOutage, number>();
  readonly #done = new WeakSet<LocalOutage>();
  readonly #turnNoted = new WeakSet<LocalOutage>();
  readonly #closed = new WeakSet<LocalOutage>();
  readonly #rounds: Rounds;
  #failing = false;

  constructor(private readonly parts: OutageLedgerParts) {
    for (const [backend, limits] of parts.limits) this.#trust.set(backend, new TrustLimit(limits));
    this.#rounds = new Rounds(parts.every ?? 1_000, () => this.round());
  }

  start(): void {
    this.#rounds.start();
  }

  /** Writes what it can, and says that nothing more will come. */
  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.round(true);
  }

  /** Sessions that are remembered here. */
  get size(): number {
    let size = 0;
    for (const outage of this.#all()) size += outage.size;
    return size;
  }

  /** Each check that was settled, but repetitions from memory. Never throws, never waits. */
  note(check: Check, answer: LedgerAnswer): void {
    const { backend = '', because, allow } = answer;
    const now = this.parts.clock.now();
    if (because === undefined) {
      if (!answer.fingerprint || (this.#lasting.size === 0 && this.#ended.length === 0)) return;
      for (const outage of this.#all()) outage.decided(check, answer.fingerprint, allow, now);
      return;
    }
    if (backend === '') return;
    if (answer.switched === true && this.#lasting.get(keyOf(backend, because))?.downSince === undefined)
      return;
    const outage = this.#outageOf(backend, because, now);
    const column = columnOfSource(answer.source);
    if (!allow) outage.refused += 1;
    else if (column !== undefined && answer.session !== undefined) {
      const isRechecked = column !== 'carried' && this.parts.rechecked.has(backend);
      outage.let(answer.session, column, now, isRechecked ? check : undefined);
    }
  }

  /** Sessions ended, wherever that was noticed. */
  closed(names: readonly SessionName[]): void {
    const now = this.parts.clock.now();
    for (const outage of this.#all()) for (const name of names) outage.closed(name, now);
  }

  /** The breaker turned, or is found so at the start. */
  turned(backend: string, turn: BreakerTurn): void {
    this.#turns.set(backend, turn);
    const now = this.parts.clock.now();
    const lasting = this.#lasting.get(keyOf(backend, 'backend'));
    if (!turn.closed) {
      const outage = lasting ?? this.#begin(backend, 'backend', Math.min(turn.downSince || now, now));
      outage.down(turn.downSince || now);
    } else if (lasting !== undefined) {
      // A record of the cluster that was never anything but closed says nothing of this one.
      this.#finish(lasting, turn.since >= lasting.start ? turn.since : now);
    }
  }

  /** Whether letting in on trust has ended for this backend, and by which limit; from memory. */
  trustEnded(backend: string): 'maxOutage' | 'failOpenBudget' | undefined {
    const outage = this.#lasting.get(keyOf(backend, 'backend'));
    return outage && this.#trust.get(backend)?.ended(outage.downSince, this.parts.clock.now());
  }

  /** Writes what is to be written. Never rejects. */
  async round(leaving = false): Promise<void> {
    const { store, log } = this.parts;
    if (store.away) {
      for (const outage of this.#lasting.values()) this.#mayMiss(outage);
      return;
    }
    let failure: unknown;
    for (const outage of Array.from(this.#all())) {
      try {
        await this.#write(outage, leaving);
        if (outage.end === undefined) await this.#watch(outage);
      } catch (error) {
        // It stays here and is written again; a retry counts nobody twice.
        failure = error;
        this.#mayMiss(outage);
      }
    }
    if (failure !== undefined && !this.#failing)
      log.warn({ error: failure }, 'the ledger of an outage could not be written; it is tried again');
    this.#failing = failure !== undefined;
    this.#forget();
  }

  #outageOf(backend: string, fault: OutageFault, now: number): LocalOutage {
    const lasting = this.#lasting.get(keyOf(backend, fault));
    if (lasting !== undefined) return lasting;
    const over = this.#ended.find(
      (outage) =>
        outage.backend === backend && outage.fault === fault && now - (outage.end ?? 0) < STRAGGLERS,
    );
    return over ?? this.#begin(backend, fault, now);
  }

  #begin(backend: string, fault: OutageFault, start: number): LocalOutage {
    const { store, most } = this.parts;
    // What becomes of those of an outage that is over is worth less than who is let in now.
    if (this.size > most / 2) this.#ended = this.#ended.filter((ended) => !this.#done.has(ended));
    const outage = new LocalOutage(backend, fault, start, Math.ceil(Math.max(most / 2, most - this.size)));
    const turn = this.#turns.get(backend);
    if (fault === 'backend' && turn?.closed === false) outage.downSince = turn.downSince || start;
    if (store.away) this.#mayMiss(outage);
    this.#lasting.set(keyOf(backend, fault), outage);
    this.#trust.get(backend)?.begin();
    return outage;
  }

  /** Redis is away, noticed or not yet: whoever dies before it is back would be missed by nobody. */
  #mayMiss(outage: LocalOutage): void {
    if (!this.#peers.has(outage)) this.#peers.set(outage, this.parts.peers());
  }

  #hear(outage: LocalOutage): ReadonlySet<string> {
    let heard = this.#heard.get(outage);
    if (heard === undefined) this.#heard.set(outage, (heard = new Set()));
    for (const id of this.parts.peers().keys()) heard.add(id);
    return heard;
  }

  #finish(outage: LocalOutage, end: number): void {
    outage.finish(end);
    const key = keyOf(outage.backend, outage.fault);
    if (this.#lasting.get(key) === outage) this.#lasting.delete(key);
    this.#ended.push(outage);
  }

  async #write(outage: LocalOutage, leaving: boolean): Promise<void> {
    if (outage.end === undefined) this.#hear(outage);
    if (outage.name === undefined) await this.#open(outage);
    else if (outage.downSince !== undefined) await this.#noteTurn(outage);
    for (let batch = 0; batch < BATCHES || leaving; batch += 1) {
      const name = outage.name;
      if (name === undefined || !this.#hasWord(outage, leaving)) break;
      await this.#writeBatch(outage, name, leaving);
    }
    if (outage.end !== undefined && outage.name !== undefined) await this.#close(outage, outage.name);
  }

  async #open(outage: LocalOutage): Promise<void> {
    const { store, clock } = this.parts;
    const { backend, fault, downSince, end } = outage;
    const opened = await store.open(backend, fault, outage.start, downSince);
    outage.opened(opened);
    if (opened.turned) this.#turnNoted.add(outage);
    this.#saidAt.delete(outage);
    if (opened.status === 'ended' && end === undefined) {
      this.#finish(outage, opened.end ?? clock.now());
      this.#stillDown(backend);
    }
    if (opened.status === 'opened') this.#tell('outage.started', outage, { since: outage.start });
  }

  /** Viewers were affected before the breaker turned: the outage is there already. */
  async #noteTurn(outage: LocalOutage): Promise<void> {
    if (this.#turnNoted.has(outage) || outage.name === undefined) return;
    await this.parts.store.mark(outage.name, 'downSince', Math.round(outage.downSince ?? outage.start));
    this.#turnNoted.add(outage);
  }

  /** Its outage was ended by another process, and here the breaker is not closed: that is a new one. */
  #stillDown(backend: string): void {
    const turn = this.#turns.get(backend);
    if (turn?.closed === false) this.turned(backend, turn);
  }

  #hasWord(outage: LocalOutage, leaving: boolean): boolean {
    if (outage.unsent > 0) return true;
    const isOver = outage.end !== undefined || leaving;
    if (isOver) return !this.#done.has(outage);
    return this.parts.clock.monotonic() - (this.#saidAt.get(outage) ?? -Infinity) >= WORD_EVERY;
  }

  async #writeBatch(outage: LocalOutage, name: OutageName, leaving: boolean): Promise<void> {
    const { store, node, clock, seal } = this.parts;
    const { lines, totals, written, failed } = outage.batch(BATCH, name, seal);
    const isLast = outage.unsent === 0;
    const isOver = outage.end !== undefined;
    const state = isLast && isOver ? 'done' : isLast && leaving ? 'left' : 'open';
    const { lastAt, start, made } = outage;
    const peers = this.#peers.get(outage);
    const write = { node, state, totals, lastAt, start, made, lines, peers } as const;
    try {
      const reply = await store.write(name, write);
      if (reply.status === 'gone') {
        outage.lost();
        // Redis lost all that the others wrote, too: those who are dead by now will not write it again.
        const lost = Array.from(this.#hear(outage), (id) => [id, start] as const);
        this.#peers.set(outage, new Map(lost));
        return await this.#open(outage);
      }
      written(reply.lines);
      this.#saidAt.set(outage, clock.monotonic());
      this.#peers.delete(outage);
      if (state !== 'open') this.#done.add(outage);
      if (reply.end !== undefined && outage.end === undefined) {
        this.#finish(outage, reply.end);
        this.#stillDown(outage.backend);
      }
    } catch (error) {
      failed();
      throw error;
    }
  }

  async #close(outage: LocalOutage, name: OutageName): Promise<void> {
    if (this.#closed.has(outage)) return;
    const ended = await this.parts.store.end(name, outage.fault, outage.end, QUIET);
    this.#closed.add(outage);
    if (ended !== undefined) await this.#tellEnd(outage, ended);
  }

  /** Of an outage that lasts: whether it is quiet, and how far its limits are. */
  async #watch(outage: LocalOutage): Promise<void> {
    const { store, clock } = this.parts;
    const { name, backend, fault } = outage;
    if (name === undefined) return;
    if (outage.downSince === undefined && clock.now() - outage.lastAt > QUIET) {
      const ended = await store.end(name, fault, undefined, QUIET);
      if (ended !== undefined) {
        await this.#tellEnd(outage, ended);
        this.#finish(outage, ended);
      }
      return;
    }
    const limit = fault === 'backend' ? this.#trust.get(backend) : undefined;
    if (limit === undefined || outage.downSince === undefined) return;
    if (limit.hasBudget) {
      const all = sumOfTotals((await store.nodes(name)).map(({ totals }) => totals));
      const { onTrust } = all.columns;
      const minutes = playedIn(onTrust, outage.start, clock.now()) / 60_000;
      limit.spent(onTrust.running, minutes);
    }
    for (const { type, limit: by, mark, ...facts } of limit.news(outage.downSince, clock.now())) {
      if (await store.mark(name, mark, Math.round(clock.now())))
        this.#tell(type, outage, { limit: by, ...facts });
    }
  }

  async #tellEnd(outage: LocalOutage, end: number): Promise<void> {
    const { name, start } = outage;
    if (name === undefined) return;
    const { columns } = sumOfTotals((await this.parts.store.nodes(name)).map(({ totals }) => totals));
    this.#tell('outage.ended', outage, {
      since: start,
      until: end,
      carried: columns.carried.sessions,
      known: columns.known.sessions,
      onTrust: columns.onTrust.sessions,
    });
  }

  #tell(type: Parameters<TellOutage>[0], outage: LocalOutage, facts: Parameters<TellOutage>[2]): void {
    if (outage.name === undefined) return;
    const { backend, fault, downSince } = outage;
    const suspended = downSince === undefined ? 'no' : 'yes';
    this.parts.tell(type, backend, { outage: outageId(outage.name), fault, suspended, ...facts });
  }

  #forget(): void {
    const now = this.parts.clock.now();
    this.#ended = this.#ended.filter((outage) => now - (outage.end ?? now) < RESULTS_FOR);
  }

  *#all(): Generator<LocalOutage> {
    yield* this.#lasting.values();
    yield* this.#ended;
  }
}

const keyOf = (backend: string, fault: OutageFault): string => `${fault}/${backend}`;
