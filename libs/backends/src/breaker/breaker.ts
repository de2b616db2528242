import type { BreakerConfig } from '#usher/config';
import type { Check, Random } from '#usher/domain';
import { type Cluster, anotherOpinion } from './cluster.js';
import type { BreakerEvent } from './events.js';
import { Isolation } from './isolation.js';
import { Jury } from './jury.js';
import type { Ballot } from './keeper.js';
import type { Outcome } from './outcome.js';
import { RampShare, rampRate } from './ramp.js';
import { type BreakerRecord, afterProbe, suspend } from './record.js';
import { RecordFollower, type RecordFollowerOptions } from './record-follower.js';
import { type Opinion, Sensor } from './sensor.js';

/** May this question be asked now? */
export type Leave =
  | { readonly kind: 'ask' }
  | { readonly kind: 'probe'; readonly lease: string }
  | { readonly kind: 'outage'; readonly since: number };

export interface BreakerOptions extends Omit<RecordFollowerOptions, 'config' | 'cluster' | 'onTurned'> {
  readonly config: BreakerConfig;
  readonly cluster: Cluster;
  readonly random: Random;
  /** One call to the backend takes at most so long, ms. */
  readonly timeout: number;
  /** An operator took it out of use: nothing that is noticed meanwhile counts, and no vote is cast. */
  readonly isSwitched?: () => boolean;
  /** One call past bulkhead, pacer and breaker. Never rejects. */
  readonly call: (check: Check) => Promise<Outcome>;
  readonly announce: (event: BreakerEvent) => void;
  /** Makes a check fit to travel: it holds a credential. */
  readonly seal: (check: Check) => string;
  /** Undefined where it cannot be opened: sealed under a secret that this process does not have. */
  readonly unseal: (sealed: string) => Check | undefined;
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
/** A vote that flips is cast at most so often, ms. */
const CAST_RETRY = 100;
/** Votes are valid so long: one who was contradicted for less was perhaps only the first to notice, ms. */
const EARLY = 10_000;

/** One backend's breaker as one process knows it. The cluster's record is the truth; this follows it. */
export class Breaker {
  readonly backend: string;
  readonly #follower: RecordFollower;
  #sensor: Sensor;
  readonly #ramp: RampShare;
  readonly #jury: Jury;
  readonly #isolation: Isolation;
  #lastFailed: Check | undefined;
  #lastOpinion: Opinion | undefined;
  /** What the sensor had heard when the last vote was cast. */
  #castAfter = 0;
  #mayCastAt = -Infinity;
  #mayLeaseAt = -Infinity;
  #closed = false;

  constructor(private readonly options: BreakerOptions) {
    const { backend, clock, timeout } = options;
    this.backend = backend;
    this.#follower = new RecordFollower({
      ...options,
      onChange: (now, before) => this.#onChange(now, before),
      onTurned: (record) => options.announce({ kind: 'breaker.changed', backend, record }),
    });
    this.#ramp = new RampShare(clock);
    this.#sensor = this.#freshSensor();
    this.#isolation = new Isolation({
      ...options,
      openFor: options.config.openFor,
      onIsolated: (isolated) => this.#onIsolated(isolated),
    });
    this.#jury = new Jury({
      ballot: () => this.#ballot(),
      cast: (ballot) => {
        this.#castAfter = this.#sensor.heard;
        return this.#follower.look(ballot);
      },
      suspend: (record, rate) => this.#follower.turn(record, suspend(record, rate)),
      isolate: () => this.#lastFailed && this.#isolation.begin(this.#lastFailed),
      askAnother: (voted) => this.#askAnother(voted),
      patience: timeout + OPINION_MARGIN,
    });
  }

  get record(): BreakerRecord {
    return this.#follower.record;
  }

  /** Redis is away: this process decides by itself. */
  get alone(): boolean {
    return this.#follower.alone;
  }

  get isolated(): boolean {
    return this.#isolation.isolated;
  }

  /** Why a call may not be made from here now; undefined: it may. Ramps are shared out by `admit`, not here. */
  refusal(lease?: string): 'suspended' | 'isolated' | undefined {
    const { state } = this.record;
    if (lease === undefined && (state === 'suspended' || state === 'half-open')) return 'suspended';
    return this.isolated ? 'isolated' : undefined;
  }

  /** Whether a gateway may send a question on its way. Only half-open asks Redis, for the lease. */
  admit(known: boolean): Leave | Promise<Leave> {
    const record = this.record;
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
    if (outcome === 'none' || this.#closed || this.#isSwitched) return;
    if (outcome === 'bad') this.#lastFailed = check;
    this.#sensor.record(outcome === 'good');
    // An opinion costs a look at the whole window: at each call only near failure.
    if (outcome === 'bad' || this.#lastOpinion === 'bad') this.#noticeFlip();
  }

  /** The cluster's probe came back; it counts only while its lease is held. */
  async probed(lease: string, outcome: Outcome): Promise<void> {
    if (outcome === 'none') return await this.#follower.dropLease(lease);
    const box = await this.#follower.look();
    const next = box && afterProbe(box.record, outcome === 'good', this.options.config.probes);
    if (box !== undefined && next !== undefined) await this.#follower.turn(box.record, next, lease);
  }

  async heard(event: BreakerEvent): Promise<void> {
    const self = this.options.cluster.self.id;
    switch (event.kind) {
      case 'breaker.changed':
        if (!this.alone) this.#follower.hear(event.record);
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
    // Without a call since, a vote would only make the last one look younger than it is.
    const isNew = this.#sensor.open || this.#sensor.heard !== this.#castAfter;
    if (isNew && this.#ballot() !== undefined) await this.#jury.judge();
    else await this.#follower.look();
    await this.#follower.turnInTime();
  }

  /** Redis went away: from here on by itself, from what was true. */
  async goAlone(): Promise<void> {
    if (this.alone) return;
    this.#follower.goAlone();
    this.#jury.dismiss();
    this.#isolation.end();
    await this.#jury.judge();
  }

  /** Redis is back: its record is true again; where it is empty this process's is offered. */
  async rejoin(): Promise<void> {
    if (this.#follower.rejoin()) await this.tick();
  }

  close(): void {
    this.#closed = true;
    this.#follower.close();
    this.#isolation.close();
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
    this.#castAfter = 0;
    this.#lastOpinion = undefined;
    this.#lastFailed = undefined;
  }

  /**
   * A vote that flips is cast at once; that it is `failing` the sensor says itself. One that goes to and fro about the
   * threshold waits for the next tick.
   */
  #noticeFlip(): void {
    const opinion = this.#sensor.opinion();
    const flipped = opinion !== this.#lastOpinion && opinion !== undefined;
    this.#lastOpinion = opinion;
    if (!flipped || opinion === 'failing' || this.#now() < this.#mayCastAt) return;
    this.#mayCastAt = this.#now() + CAST_RETRY;
    void this.#jury.judge();
  }

  /** Only while it is asked ordinary questions does a process have something to say. */
  #ballot(): Ballot | undefined {
    const { state } = this.record;
    if (this.#closed || this.isolated || this.#isSwitched) return undefined;
    if (state === 'suspended' || state === 'half-open') return undefined;
    const opinion = this.#sensor.opinion();
    return opinion && this.#ballotOf(opinion, this.#sensor.calls);
  }

  #ballotOf(opinion: Opinion, calls: number): Ballot {
    const { id, host } = this.options.cluster.self;
    return { host, node: id, opinion, calls, rate: this.#sensor.rate };
  }

  #onChange(record: BreakerRecord, before: BreakerRecord): void {
    this.#mayLeaseAt = -Infinity;
    if (record.state !== before.state) this.#enter(record);
    this.options.onChange(record, before);
  }

  #enter(record: BreakerRecord): void {
    this.#jury.dismiss();
    switch (record.state) {
      case 'suspended':
        this.#sensor.forceOpen();
        if (this.#isolation.lasts < EARLY) this.#isolation.end();
        return;
      case 'half-open':
        return;
      case 'ramping':
      case 'closed':
        this.#ramp.restart();
        if (!this.isolated && this.#sensor.open) this.#renewSensor();
    }
  }

  async #takeLease(record: BreakerRecord): Promise<Leave> {
    const now = this.#now();
    if (now < this.#mayLeaseAt || this.isolated) return outage(record);
    this.#mayLeaseAt = now + LEASE_RETRY;
    const { cluster, random, timeout } = this.options;
    const lease = `${cluster.self.id}:${Math.floor(random() * 2 ** 48).toString(36)}`;
    const taken = await this.#follower.takeLease(lease, timeout + LEASE_MARGIN);
    return taken ? { kind: 'probe', lease } : outage(record);
  }

  #askAnother(voted: ReadonlySet<string>): boolean {
    const { cluster, clock, random, seal, timeout } = this.options;
    if (this.alone || this.#lastFailed === undefined) return false;
    const chosen = anotherOpinion(cluster, voted, random);
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
    if (clock.now() >= event.until) return;
    const check = unseal(event.check);
    if (check === undefined) return;
    const outcome = await call(check);
    if (outcome === 'none') return;
    this.ended(outcome, check);
    await this.#follower.look(this.#ballotOf(outcome, 1));
    announce({ kind: 'breaker.opinion', backend: this.backend, to: event.from });
  }

  #onIsolated(isolated: boolean): void {
    const { state } = this.record;
    if (!isolated && (state === 'closed' || state === 'ramping')) this.#renewSensor();
    this.options.onIsolated(isolated);
  }

  get #isSwitched(): boolean {
    return this.options.isSwitched?.() ?? false;
  }

  #now(): number {
    return this.options.clock.monotonic();
  }
}

function outage(record: BreakerRecord): Leave {
  return { kind: 'outage', since: record.downSince };
}
