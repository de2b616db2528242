import type { Clock, Log, Session, SessionName } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import {
  columnOf,
  type EventFacts,
  isComplete,
  noteLostNodes,
  outageId,
  QUIET,
  Rounds,
  settleLines,
  type Leases,
  type OutageLine,
  type OutageName,
  type OutageRecord,
  type OutageResult,
  type OutageStore,
  type TellOutage,
} from '#usher/sessions';
import type { Loan, RecheckBook, Rechecked } from './recheck.js';
import type { Earlier, Recycled } from './recycle.js';

/** Between two rounds, ms. */
const EVERY = 2_000;
/** Gateways write what they have within this after an outage's end, ms. */
const SETTLE_AFTER = 5_000;
/** One that lives and has more to write is waited for so long, ms. */
const PATIENCE = 600_000;
/** A breaker is closed for so long, and nobody ended its outage, ms. */
const FORGOTTEN = 10_000;

/** A breaker as this process sees it; undefined: it cannot know. */
export type BreakerView = { readonly closed: boolean; readonly since: number } | undefined;

export interface OutageJobParts {
  readonly redis: RedisClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: OutageStore;
  /** One part: one process settles. */
  readonly leases: Pick<Leases, 'renew' | 'holds' | 'release'>;
  readonly registry: { readonly shards: number; read(name: SessionName): Promise<Session | undefined> };
  readonly tell: TellOutage;
  /** Those that are configured; outages of others are looked after until they are settled. */
  readonly backends: readonly string[];
  /** Whether a process lives; undefined: heartbeats cannot be read. */
  readonly lives: (node: string) => boolean | undefined;
  readonly breaker: (backend: string) => BreakerView;
  readonly afterOutage: (backend: string) => 'report' | 'cut' | 'recycle';
  readonly credential: (backend: string) => 'once' | 'reusable';
  /** Asks about those who play on. */
  readonly recheck: (
    name: OutageName,
    loans: readonly Loan[],
    book: RecheckBook,
    signal: AbortSignal,
  ) => Promise<Rechecked>;
  /** Whether this edge can be told to cut. */
  readonly canCut: (edge: string) => boolean;
  /** Has those on trust cut, so that they come back. */
  readonly recycle: (
    name: OutageName,
    loans: readonly Loan[],
    earlier: readonly Earlier[],
    book: Pick<RecheckBook, 'note' | 'stop'>,
    signal: AbortSignal,
  ) => Promise<Recycled>;
  /** Default 5,000 ms. */
  readonly settleAfter?: number;
  readonly every?: number;
}

/** Looks after the ledgers: notes who dies with something unsaid, ends what nobody ended, and settles what is over. */
export class OutageJob {
  /** Outages settled since the start. */
  settled = 0;
  readonly #rounds: Rounds;
  readonly #settling = new Map<string, Promise<void>>();
  readonly #ended = new AbortController();
  /** Until the lease is lost: what is under way then is another control's. */
  #tenure = new AbortController();

  constructor(private readonly parts: OutageJobParts) {
    this.#rounds = new Rounds(parts.every ?? EVERY, () => this.round());
  }

  start(): void {
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#rounds.stop();
    await Promise.all(this.#settling.values());
    await this.parts.leases.release().catch(() => undefined);
  }

  /** Never rejects: what could not be done is done in the next round. */
  async round(): Promise<void> {
    const { redis, leases, store, backends, log } = this.parts;
    if (redis.away) return;
    try {
      await leases.renew();
      if (!leases.holds(0)) return this.#yield();
      for (const backend of new Set([...backends, ...(await store.backends())])) await this.#look(backend);
    } catch (error) {
      log.debug({ error }, 'outages could not be looked after; the next round goes on');
    }
  }

  /** Another control settles from now on. */
  #yield(): void {
    if (this.#settling.size === 0) return;
    this.#tenure.abort();
    this.#tenure = new AbortController();
  }

  async #look(backend: string): Promise<void> {
    const { store, clock, settleAfter = SETTLE_AFTER } = this.parts;
    const { open, ended } = await store.pending(backend);
    for (const name of open.values()) {
      await this.#noteLost(name);
      await this.#endForgotten(name);
    }
    for (const name of ended) {
      const record = await store.record(name);
      if (record?.end === undefined) await store.settled(name, clock.now());
      else if (clock.now() >= record.end + settleAfter) await this.#begin(record);
    }
  }

  /** While it lasts: the sooner it is noticed, the narrower is what the report calls incomplete. */
  async #noteLost(name: OutageName): Promise<void> {
    const { store, clock } = this.parts;
    await noteLostNodes(store, name, (node) => this.#mayLive(node), clock.now());
  }

  /** No gateway that knew of it lives. */
  async #endForgotten(name: OutageName): Promise<void> {
    const { store, tell } = this.parts;
    const record = await store.record(name);
    if (record === undefined) return;
    const at = record.downSince === undefined ? undefined : await this.#endOf(record);
    if (record.downSince !== undefined && at === undefined) return;
    const end = await store.end(name, record.fault, at, QUIET);
    if (end === undefined) return;
    const { fault, start } = record;
    tell('outage.ended', name.backend, { outage: outageId(name), fault, since: start, until: end });
  }

  /** When an outage that a breaker saw was over; undefined: it lasts, or that cannot be known. */
  async #endOf({ name, lastAt }: OutageRecord): Promise<number | undefined> {
    const { store, clock, backends, breaker } = this.parts;
    if (backends.includes(name.backend)) {
      const view = breaker(name.backend);
      const isClosed = view?.closed === true && clock.now() - view.since > FORGOTTEN;
      return isClosed ? Math.max(view.since, lastAt) : undefined;
    }
    // It is no longer configured: it is over when nobody who has it still says a word.
    const nodes = await store.nodes(name);
    const lastWord = Math.max(lastAt, ...nodes.map(({ at }) => at));
    const isWritten = nodes.some((node) => !isComplete(node) && this.#mayLive(node.node));
    return isWritten || clock.now() - lastWord <= QUIET ? undefined : lastWord;
  }

  /** One outage of a backend at a time; others of its outages wait. */
  async #begin(record: OutageRecord): Promise<void> {
    const { backend } = record.name;
    const { end } = record;
    if (end === undefined || this.#settling.has(backend) || (await this.#isStillWritten(record))) return;
    const settling = this.#settle({ ...record, end })
      .catch((error: unknown) =>
        this.parts.log.warn({ error, backend }, 'an outage could not be settled; it is tried again'),
      )
      .finally(() => this.#settling.delete(backend));
    this.#settling.set(backend, settling);
  }

  async #isStillWritten({ name, end = 0 }: OutageRecord): Promise<boolean> {
    const { store, clock } = this.parts;
    if (clock.now() > end + PATIENCE) return false;
    const nodes = await store.nodes(name);
    return nodes.some((node) => node.state === 'open' && this.#mayLive(node.node) && !isComplete(node));
  }

  async #settle(record: OutageRecord & { readonly end: number }): Promise<void> {
    const { store, clock, tell } = this.parts;
    const { name, fault } = record;
    const signal = AbortSignal.any([this.#ended.signal, this.#tenure.signal]);
    await this.#noteLost(name);
    const loans: Loan[] = [];
    const lives = (node: string): boolean => this.#mayLive(node);
    const settling = { ...this.parts, shards: this.parts.registry.shards, lives, signal };
    const unasked = (line: OutageLine) => this.#unasked(name.backend, line);
    for await (const { line, session } of settleLines({ ...settling, unasked }, record)) {
      const column = columnOf(line.field);
      if (column === undefined || unasked(line) !== undefined) continue;
      const { edge, sessionId, fingerprint } = session;
      const refused = line.result === 'denied';
      loans.push({ field: line.field, column, session: { edge, sessionId }, fingerprint, refused });
    }
    if (signal.aborted) return;
    const facts = await this.#lookAfter(record, loans, signal);
    // What broke off is gone on with by whoever holds the lease.
    if (signal.aborted) return;
    await store.settled(name, clock.now());
    this.settled += 1;
    tell('outage.settled', name.backend, { outage: outageId(name), fault, ...facts });
  }

  /** Asks about them, or has them come back; what is told of it. */
  async #lookAfter(record: OutageRecord, loans: readonly Loan[], signal: AbortSignal): Promise<EventFacts> {
    const { store, afterOutage, tell } = this.parts;
    const { name, fault } = record;
    const isRecycled = afterOutage(name.backend) === 'recycle';
    const earlier = isRecycled ? await this.#recycledBefore(name) : [];
    if (loans.length === 0 && earlier.length === 0) return {};
    const book = this.#bookOf(record);
    const { why, ...facts } = await (record.marks.has('cutStopped')
      ? this.#leaveAlone(record, loans, book)
      : isRecycled
        ? this.#recycle(name, loans, earlier, book, signal)
        : this.#recheck(name, loans, book, signal));
    if (why !== undefined) {
      await store.mark(name, 'cutStopped', why);
      tell('outage.cut-stopped', name.backend, {
        outage: outageId(name),
        fault,
        ...facts,
        ...(isRecycled ? { why } : {}),
      });
    }
    return facts;
  }

  #bookOf({ name, start, marks }: OutageRecord): RecheckBook {
    const { store, clock } = this.parts;
    return {
      begun: { answered: Number(marks.get('asked') ?? 0), passed: marks.has('trialPassed') },
      note: ({ field, column }, result) =>
        store.settleLines(name, start, [{ field, column, result }], clock.now()),
      keep: async ({ answered, passed }) => {
        await store.markAnew(name, 'asked', answered);
        if (passed) await store.mark(name, 'trialPassed', Math.round(clock.now()));
      },
      stop: async (why) => void (await store.mark(name, 'cutStopped', why)),
    };
  }

  /** A control that has died since had given up: nobody is cut by this one either. */
  async #leaveAlone({ marks }: OutageRecord, loans: readonly Loan[], book: RecheckBook) {
    for (const loan of loans) await book.note(loan, 'not-checked');
    return { why: marks.get('cutStopped') };
  }

  async #recheck(name: OutageName, loans: readonly Loan[], book: RecheckBook, signal: AbortSignal) {
    const { answered, denied, why } = await this.parts.recheck(name, loans, book, signal);
    return { asked: answered, refused: denied, why };
  }

  async #recycle(
    name: OutageName,
    loans: readonly Loan[],
    earlier: readonly Earlier[],
    book: RecheckBook,
    signal: AbortSignal,
  ) {
    const { cut, lost, why } = await this.parts.recycle(name, loans, earlier, book, signal);
    return { recycled: cut, lost, why };
  }

  /** Those whom a control cut that was broken off. */
  async #recycledBefore(name: OutageName): Promise<Earlier[]> {
    const { backend } = name;
    const earlier: Earlier[] = [];
    for await (const line of this.parts.store.lines(name)) {
      const { field, viewer: viewerKey, ip, channel, result, resultAt: at } = line;
      const column = columnOf(field);
      if (column === undefined) continue;
      if (result === 'recycled' || result === 'came-back' || result === 'refused')
        earlier.push({ loan: { field, column }, viewer: { backend, viewerKey, ip, channel }, at, result });
    }
    return earlier;
  }

  /** Undefined: he will be asked about. */
  #unasked(backend: string, { field, edge }: OutageLine): OutageResult | undefined {
    const { afterOutage, credential, canCut } = this.parts;
    // Whoever was allowed before is not disturbed.
    if (afterOutage(backend) === 'recycle')
      return columnOf(field) === 'onTrust' && canCut(edge) ? undefined : 'not-checkable';
    if (credential(backend) === 'once') return 'not-checkable';
    // Who was known good owes nothing.
    return afterOutage(backend) === 'report' || columnOf(field) === 'carried' ? 'not-checked' : undefined;
  }

  /** Without heartbeats nobody is taken for dead. */
  #mayLive(node: string): boolean {
    return this.parts.lives(node) !== false;
  }
}
