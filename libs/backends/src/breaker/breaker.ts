import type { BreakerConfig } from '#usher/config';
import type { Check, Clock, Log, Random } from '#usher/domain';
import type { Cluster } from './cluster.js';
import type { BreakerEvent } from './events.js';
import { Jury } from './jury.js';
import type { Ballot, BallotBox, BreakerKeeper } from './keeper.js';
import { MemoryKeeper } from './memory-keeper.js';
import { RampShare, rampRate } from './ramp.js';
import {
  type BreakerRecord,
  type Turn,
  UNWRITTEN,
  afterProbe,
  afterTime,
  suspend,
  turnsAfter,
} from './record.js';
import { type Opinion, Sensor } from './sensor.js';

/** How a call ended, as far as the backend is concerned; `none`: cancelled, busy, or our own fault. */
export type Outcome = 'good' | 'bad' | 'none';

/** May this question be asked now? */
export type Leave =
  | { readonly kind: 'ask' }
  | { readonly kind: 'probe'; readonly lease: string }
  | { readonly kind: 'outage'; readonly since: number };

export interface BreakerOptions {
  readonly backend: string;
  readonly config: BreakerConfig;
  /** One call to the backend takes at most so long, ms. */
  readonly timeout: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly cluster: Cluster;
  /** The cluster's record; without it the process is alone for ever. */
  readonly shared?: BreakerKeeper;
  /** One call past bulkhead, pacer and breaker. Never rejects. */
  readonly call: (check: Check) => Promise<Outcome>;
  readonly announce: (event: BreakerEvent) => void;
  /** Makes a check fit to travel: it holds a credential. */
  readonly seal: (check: Check) => string;
  /** Undefined where it cannot be opened. */
  readonly unseal: (sealed: string) => Check | undefined;
  readonly onChange: (now: BreakerRecord, before: BreakerRecord) => void;
  /** True: this process does not reach the backend and others do: it reads none of its questions until `false`. */
  readonly onIsolated: (isolated: boolean) => void;
}

const ASK: Leave = { kind: 'ask' };
/** What a second opinion may take besides the call itself, ms. */
const OPINION_MARGIN = 300;
/** What a probe may take besides the call itself, from the gateway's ladder over the bus, ms. */
const LEASE_MARGIN = 1_000;
/** A gateway asks Redis for the lease at most so often, ms. */
const LEASE_RETRY = 100;
/** Votes are valid so long: one who was contradicted for less was perhaps only the first to notice, ms. */
const EARLY = 10_000;

/** One backend's breaker as one process knows it. The cluster's record is the truth; this follows it. */
export class Breaker {
  readonly backend: string;
  #record = UNWRITTEN;
  #sensor: Sensor;
  #keeper: BreakerKeeper;
  readonly #memory: MemoryKeeper;
  readonly #ramp: RampShare;
  readonly #jury: Jury;
  #isolatedSince: number | undefined;
  #lastFailed: Check | undefined;
  #lastOpinion: Opinion | undefined;
  #mayLeaseAt = -Infinity;
  #due: NodeJS.Timeout | undefined;
  #ownProbe: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly options: BreakerOptions) {
    const { backend, clock, cluster, shared, timeout } = options;
    this.backend = backend;
    this.#memory = new MemoryKeeper(clock, cluster.self.id);
    this.#keeper = shared ?? this.#memory;
    this.#ramp = new RampShare(clock);
    this.#sensor = this.#freshSensor();
    this.#jury = new Jury({
      ballot: () => this.#ballot(),
      cast: (ballot) => this.#look(ballot),
      suspend: (record, rate) => this.#turn(record, suspend(record, rate)),
      isolate: () => this.#isolate(),
      askAnother: (voted) => this.#askAnother(voted),
      patience: timeout + OPINION_MARGIN,
    });
  }

  get record(): BreakerRecord {
    return this.#record;
  }

  /** Redis is away: this process decides by itself. */
  get alone(): boolean {
    return this.#keeper === this.#memory;
  }

  get isolated(): boolean {
    return this.#isolatedSince !== undefined;
  }

  /** Why a call may not be made from here now; undefined: it may. Ramps are shared out by `admit`, not here. */
  refusal(lease?: string): 'suspended' | 'isolated' | undefined {
    const { state } = this.#record;
    if (lease === undefined && (state === 'suspended' || state === 'half-open')) return 'suspended';
    return this.isolated ? 'isolated' : undefined;
  }

  /** Whether a gateway may send a question on its way. Only half-open asks Redis, for the lease. */
  admit(known: boolean): Leave | Promise<Leave> {
    const record = this.#record;
    switch (record.state) {
      case 'closed':
        return ASK;
      case 'ramping': {
        const rate = rampRate(record) * this.options.cluster.admitShare();
        return this.#ramp.admits(rate, known) ? ASK : outage(record);
      }
      case 'half-open':
        return this.#takeLease(record);
      case 'suspended':
        return outage(record);
    }
  }

  /** An ordinary call ended. `check` is kept while it is the last that failed: to ask once more, and ask others to. */
  ended(outcome: Outcome, check: Check): void {
    if (outcome === 'none' || this.#closed) return;
    if (outcome === 'bad') this.#lastFailed = check;
    this.#sensor.record(outcome === 'good');
    // Before, a call cost nothing here; only near failure is the opinion worth a look at each call.
    if (outcome === 'bad' || this.#lastOpinion === 'bad') this.#noticeFlip();
  }

  /** The cluster's probe came back; it counts only while its lease is held. */
  async probed(lease: string, outcome: Outcome): Promise<void> {
    try {
      if (outcome === 'none') return await this.#keeper.dropLease(lease);
      const box = await this.#look();
      const next = box && afterProbe(box.record, outcome === 'good', this.options.config.probes);
      if (box !== undefined && next !== undefined) await this.#turn(box.record, next, lease);
    } catch (error) {
      this.#complain(error, 'the result of a probe was lost');
    }
  }

  async heard(event: BreakerEvent): Promise<void> {
    const self = this.options.cluster.self.id;
    switch (event.kind) {
      case 'breaker.changed':
        if (event.record.epoch > this.#record.epoch && !this.alone) this.#follow(event.record);
        return;
      case 'breaker.second-opinion':
        if (event.to === self) await this.#giveOpinion(event);
        return;
      case 'breaker.opinion':
        if (event.to === self) await this.#jury.conclude();
    }
  }

  /** Once a second, and after a gap in what was heard: votes, or only reads the truth; turns what time turns. */
  async tick(): Promise<void> {
    if (this.#ballot() === undefined) await this.#look();
    else await this.#jury.judge();
    await this.#turnInTime();
  }

  /** Redis went away: from here on by itself, from what was true. */
  async goAlone(): Promise<void> {
    if (this.alone) return;
    this.#memory.start(this.#record);
    this.#keeper = this.#memory;
    this.#jury.dismiss();
    this.#endIsolation();
    await this.#jury.judge();
  }

  /** Redis is back: its record is true again; where it is empty this process's is offered. */
  async rejoin(): Promise<void> {
    const { shared } = this.options;
    if (shared === undefined || !this.alone) return;
    this.#keeper = shared;
    await this.tick();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#due);
    clearTimeout(this.#ownProbe);
    this.#jury.dismiss();
    this.#sensor.close();
  }

  #freshSensor(): Sensor {
    return new Sensor(this.options.config, this.options.clock, () => {
      this.#lastOpinion = 'failing';
      void this.#jury.judge();
    });
  }

  #renewSensor(): void {
    this.#sensor.close();
    this.#sensor = this.#freshSensor();
    this.#lastOpinion = undefined;
  }

  /** A vote that flips is cast at once; that it is `failing` the sensor says itself. */
  #noticeFlip(): void {
    const opinion = this.#sensor.opinion();
    const flipped = opinion !== this.#lastOpinion && opinion !== undefined;
    this.#lastOpinion = opinion;
    if (flipped && opinion !== 'failing') void this.#jury.judge();
  }

  /** Only while it is asked ordinary questions does a process have something to say. */
  #ballot(): Ballot | undefined {
    const { state } = this.#record;
    if (this.#closed || this.isolated || state === 'suspended' || state === 'half-open') return undefined;
    const opinion = this.#sensor.opinion();
    return opinion && this.#ballotOf(opinion, this.#sensor.calls);
  }

  #ballotOf(opinion: Opinion, calls: number): Ballot {
    const { id, host } = this.options.cluster.self;
    return { host, node: id, opinion, calls, rate: this.#sensor.rate };
  }

  async #look(ballot?: Ballot): Promise<BallotBox | undefined> {
    const keeper = this.#keeper;
    const { epoch } = this.#record;
    try {
      const box = await keeper.look(ballot);
      // Alone in the meantime, or back: that answer is about another truth.
      if (keeper !== this.#keeper || this.#closed) return undefined;
      // A turn was heard of in the meantime, and this answer is older.
      if (this.#record.epoch !== epoch && box.record.epoch < this.#record.epoch) return undefined;
      if (box.record.epoch === 0 && keeper !== this.#memory) return await this.#offer(keeper, box);
      this.#follow(box.record);
      return box;
    } catch (error) {
      this.#complain(error, 'the breaker’s record could not be read');
      return undefined;
    }
  }

  /** Redis knows nothing of this backend, or forgot it: what this process remembers becomes the record. */
  async #offer(keeper: BreakerKeeper, box: BallotBox): Promise<BallotBox | undefined> {
    const record = await keeper.turn(0, this.#record);
    if (keeper !== this.#keeper || this.#closed) return undefined;
    // Another process offered first.
    if (record === undefined) return await this.#look();
    this.#follow(record);
    return { ...box, record };
  }

  async #turn(from: BreakerRecord, next: Turn, lease?: string): Promise<void> {
    const keeper = this.#keeper;
    try {
      const record = await keeper.turn(from.epoch, next, lease);
      if (keeper !== this.#keeper || this.#closed) return;
      if (record === undefined) return void (await this.#look());
      this.#follow(record);
      if (!this.alone) this.options.announce({ kind: 'breaker.changed', backend: this.backend, record });
    } catch (error) {
      this.#complain(error, 'a breaker could not be turned');
    }
  }

  /** Takes a record for true. */
  #follow(record: BreakerRecord): void {
    const before = this.#record;
    if (record.epoch === before.epoch || this.#closed) return;
    this.#record = record;
    this.#mayLeaseAt = -Infinity;
    if (record.state !== before.state) this.#enter(record);
    this.#waitForTime();
    this.options.onChange(record, before);
  }

  #enter(record: BreakerRecord): void {
    this.#jury.dismiss();
    switch (record.state) {
      case 'suspended':
        this.#sensor.forceOpen();
        if (this.#isolatedSince !== undefined && this.#now() - this.#isolatedSince < EARLY)
          this.#endIsolation();
        return;
      case 'half-open':
        return;
      case 'ramping':
      case 'closed':
        this.#ramp.restart();
        if (!this.isolated && this.#sensor.open) this.#renewSensor();
    }
  }

  #waitForTime(): void {
    clearTimeout(this.#due);
    const after = turnsAfter(this.#record, this.options.config);
    if (after === undefined) return;
    const left = Math.max(0, this.#record.since + after - this.options.clock.now());
    this.#due = setTimeout(() => void this.#turnInTime(), Math.ceil(left));
    this.#due.unref();
  }

  async #turnInTime(): Promise<void> {
    const record = this.#record;
    const after = turnsAfter(record, this.options.config);
    if (after === undefined) return;
    if (this.options.clock.now() < record.since + after) return this.#waitForTime();
    await this.#turn(record, afterTime(record));
  }

  async #takeLease(record: BreakerRecord): Promise<Leave> {
    const now = this.#now();
    if (now < this.#mayLeaseAt || this.isolated) return outage(record);
    this.#mayLeaseAt = now + LEASE_RETRY;
    const { cluster, random, timeout } = this.options;
    const lease = `${cluster.self.id}:${Math.floor(random() * 2 ** 48).toString(36)}`;
    try {
      const taken = await this.#keeper.takeLease(lease, timeout + LEASE_MARGIN);
      return taken ? { kind: 'probe', lease } : outage(record);
    } catch (error) {
      this.#complain(error, 'the lease for a probe could not be taken');
      return outage(record);
    }
  }

  #askAnother(voted: ReadonlySet<string>): boolean {
    const { cluster, clock, random, seal, timeout } = this.options;
    if (this.alone || this.#lastFailed === undefined) return false;
    const fresh = cluster.others().filter((peer) => !voted.has(peer.id));
    const elsewhere = fresh.filter((peer) => peer.host !== cluster.self.host);
    const from = elsewhere.length > 0 ? elsewhere : fresh;
    const chosen = from[Math.floor(random() * from.length)];
    if (chosen === undefined) return false;
    this.options.announce({
      kind: 'breaker.second-opinion',
      backend: this.backend,
      from: cluster.self.id,
      to: chosen.id,
      check: seal(this.#lastFailed),
      until: clock.now() + timeout + OPINION_MARGIN,
    });
    return true;
  }

  async #giveOpinion(event: Extract<BreakerEvent, { kind: 'breaker.second-opinion' }>): Promise<void> {
    const { announce, call, clock, unseal } = this.options;
    const check = clock.now() < event.until ? unseal(event.check) : undefined;
    if (check === undefined) return;
    const outcome = await call(check);
    if (outcome === 'none') return;
    this.ended(outcome, check);
    await this.#look(this.#ballotOf(outcome, 1));
    announce({ kind: 'breaker.opinion', backend: this.backend, to: event.from });
  }

  #isolate(): void {
    if (this.isolated) return;
    this.#isolatedSince = this.#now();
    this.options.onIsolated(true);
    this.#probeAlone();
  }

  /** Until a probe of its own succeeds this process asks nothing for viewers; it repeats the question that failed. */
  #probeAlone(): void {
    this.#ownProbe = setTimeout(() => void this.#tryAlone(), this.options.config.openFor);
    this.#ownProbe.unref();
  }

  async #tryAlone(): Promise<void> {
    const check = this.#lastFailed;
    const outcome = check === undefined ? 'good' : await this.options.call(check);
    if (!this.isolated || this.#closed) return;
    if (outcome === 'good') this.#endIsolation();
    else this.#probeAlone();
  }

  #endIsolation(): void {
    if (!this.isolated) return;
    clearTimeout(this.#ownProbe);
    this.#isolatedSince = undefined;
    if (this.#record.state === 'closed' || this.#record.state === 'ramping') this.#renewSensor();
    this.options.onIsolated(false);
  }

  #now(): number {
    return this.options.clock.monotonic();
  }

  #complain(error: unknown, message: string): void {
    this.options.log.debug({ backend: this.backend, err: error }, message);
  }
}

function outage(record: BreakerRecord): Leave {
  return { kind: 'outage', since: record.downSince };
}
