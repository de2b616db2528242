import { setMaxListeners } from 'node:events';
import type {
  BackendAnswer,
  Clock,
  CloseReason,
  Log,
  Question,
  Random,
  Renewal,
  Session,
  SessionName,
} from '#usher/domain';
import type { DueSession, Leases, RedisSessionRegistry, RenewalStore } from '#usher/sessions';
import { pause, type Pause } from '../pause.js';
import { DenialBrake } from './denial-brake.js';

/** From the beginning of a round to that of the next, ms: one waits for no answer of the one before. */
const EVERY = 1_000;
/** Nobody waits at a player: a question may take so long, ms. */
const PATIENCE = 5_000;
/** Where hardly anybody is asked about, who is refused is believed to be after so many times the grace. */
const HELD_GRACES = 10;

export interface RenewalJobParts {
  readonly store: Pick<RenewalStore, 'take' | 'again' | 'drop'>;
  readonly registry: Pick<RedisSessionRegistry, 'read' | 'open' | 'shardOf' | 'shards'>;
  /** Ends a session that the backend refuses now. */
  readonly revoke: (session: Session, reason: CloseReason) => Promise<unknown>;
  /** One part for each shard. */
  readonly leases: Pick<Leases, 'renew' | 'holds' | 'release'>;
  /** Asks behind everybody else; undefined where nobody can. */
  readonly ask: (question: Question) => Promise<BackendAnswer | undefined>;
  readonly unseal: (session: Session, sealed: string) => Renewal | undefined;
  /** Its answers are unlike its usual ones, or its canaries are wrong. */
  readonly isSuspicious: (backend: string) => boolean;
  /** An operator has just had its user asked about again: he knows why, and a denial need not be repeated. */
  readonly isRefreshed: (session: Session) => boolean;
  /** Questions a second that are this process's part. */
  readonly pace: () => number;
  /** Questions that may be under way at once from this process, by backend; the others’ credentials are good once. */
  readonly widths: () => ReadonlyMap<string, number>;
  /** What cannot be asked is asked again after so long, ms. */
  readonly grace: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly pause?: Pause;
}

/** What came of renewals since the start. */
export interface RenewalCounts {
  renewed: number;
  denied: number;
  /** Refused, and not cut by that yet. */
  held: number;
  unavailable: number;
  gone: number;
}

/**
 * Asks again about sessions before their time is up, where the credential may be used again: paced, and behind the first
 * checks. A denial ends the session when it comes again and the backend is itself; until then, and where it cannot be asked,
 * the session is extended as `unconfirmed` and asked about again: no clock of ours cuts a viewer.
 */
export class RenewalJob {
  readonly counts: RenewalCounts = { renewed: 0, denied: 0, held: 0, unavailable: 0, gone: 0 };
  readonly #brake: DenialBrake;
  readonly #doubted = new Set<string>();
  readonly #ended = new AbortController();
  /** By backend: the questions that wait for an answer. */
  readonly #underWay = new Map<string, number>();
  /** Questions that wait for their turn. */
  #waiting = 0;
  readonly #rounds = new Set<Promise<void>>();
  #running: Promise<void> | undefined;
  /** The next question leaves at this monotonic time, ms, or later. */
  #nextAt = 0;
  /** Of the pace: what earlier rounds left, less than one question. */
  #fraction = 0;
  /** Where the next round begins, so that no shard waits for others for ever. */
  #first = 0;

  constructor(private readonly parts: RenewalJobParts) {
    // As many as wait for their turn: they are bounded by the widths.
    setMaxListeners(0, this.#ended.signal);
    this.#brake = new DenialBrake(parts.grace * HELD_GRACES);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** After the questions that are under way; what was taken and not asked is due again. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
    await this.parts.leases.release().catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { clock } = this.parts;
    while (!this.#ended.signal.aborted) {
      const next = clock.monotonic() + EVERY;
      const round = this.round().finally(() => this.#rounds.delete(round));
      this.#rounds.add(round);
      await this.#pause(next - clock.monotonic());
    }
    await Promise.all(this.#rounds);
  }

  /** Never rejects: what was taken and not asked is due again. */
  async round(): Promise<void> {
    const { leases, log } = this.parts;
    try {
      await leases.renew();
      const due = await this.#takeDue();
      // What fails is due again; the others wait for nothing of it.
      const ends = due.map((one) =>
        this.#renew(one.shard, one).catch((error: unknown) =>
          log.debug({ error }, 'a session could not be renewed; it is due again'),
        ),
      );
      await Promise.all(ends);
    } catch (error) {
      log.debug({ error }, 'sessions could not be renewed; the next round goes on');
    }
  }

  /** Spread over the round: a burst is no pace to a small portal. */
  async #turn(): Promise<void> {
    const { clock, pace } = this.parts;
    const now = clock.monotonic();
    const at = Math.max(now, this.#nextAt);
    this.#nextAt = at + 1_000 / pace();
    await this.#pause(at - now);
  }

  async #pause(ms: number): Promise<void> {
    await (this.parts.pause ?? pause)(ms, this.#ended.signal);
  }

  async #takeDue(): Promise<(DueSession & { readonly shard: string })[]> {
    const { store, registry, leases, pace } = this.parts;
    const allowed = this.#fraction + (pace() * EVERY) / 1000;
    this.#fraction = Math.min(1, allowed - Math.floor(allowed));
    // Those of the last round have their turns first.
    let left = this.#waiting > pace() ? 0 : Math.floor(allowed);
    const due: (DueSession & { readonly shard: string })[] = [];
    const first = this.#first;
    this.#first = (first + 1) % registry.shards;
    for (let i = 0; i < registry.shards && left > 0; i += 1) {
      const part = (first + i) % registry.shards;
      if (!leases.holds(part)) continue;
      const shard = String(part).padStart(2, '0');
      const taken = await store.take(shard, left);
      left -= taken.length;
      due.push(...taken.map((one) => ({ ...one, shard })));
    }
    return due;
  }

  async #renew(shard: string, { name, sealed }: DueSession): Promise<void> {
    const { store, registry, unseal, revoke } = this.parts;
    const session = await registry.read(name);
    const renewal = session && unseal(session, sealed);
    const isSame = renewal?.identity.fingerprint === session?.fingerprint && session?.state !== 'revoked';
    // Since it moved to its user's shard its question is kept there too.
    const isOver = session === undefined || renewal === undefined || !isSame;
    // Its backend is gone, or its credentials are good once by now.
    const mayAsk = renewal !== undefined && this.parts.widths().has(renewal.backend);
    // Granted for as long as it lives, since it was last asked about.
    if (isOver || !mayAsk || session.authorizedUntil === 0 || registry.shardOf(session) !== shard) {
      this.counts.gone += 1;
      return store.drop(shard, name);
    }
    const asked = await this.#askInTurn(renewal, session);
    if (asked === 'full') return this.#putBack(shard, name);
    if (asked === 'ended') return;
    const { answer } = asked;
    const word = this.#judge(session, answer);
    this.counts[word] += 1;
    // Where it is renewed the worker opened it anew, and keeps its question until the next time.
    if (word === 'renewed') return;
    if (word !== 'denied') return this.#extend(shard, session);
    await revoke(session, 'denied-on-recheck');
    await store.drop(shard, name);
  }

  #isFull(backend: string): boolean {
    return (this.#underWay.get(backend) ?? 0) >= (this.parts.widths().get(backend) ?? 0);
  }

  #putBack(shard: string, name: SessionName): Promise<void> {
    const { store, clock, random } = this.parts;
    return store.again(shard, name, clock.now() + EVERY * (1 + random()));
  }

  /**
   * `full`: its backend is slow, and others are not kept waiting by that; `ended`: this process ends, and what was not asked
   * is due again.
   */
  async #askInTurn(
    renewal: Renewal,
    session: Session,
  ): Promise<{ readonly answer: BackendAnswer | undefined } | 'full' | 'ended'> {
    const { backend } = renewal;
    if (this.#isFull(backend)) return 'full';
    this.#waiting += 1;
    await this.#turn().finally(() => (this.#waiting -= 1));
    if (this.#ended.signal.aborted) return 'ended';
    if (this.#isFull(backend)) return 'full';
    this.#underWay.set(backend, (this.#underWay.get(backend) ?? 0) + 1);
    try {
      return { answer: await this.#ask(renewal, session) };
    } finally {
      this.#underWay.set(backend, (this.#underWay.get(backend) ?? 1) - 1);
    }
  }

  /** What an answer comes to: a backend that refuses too many of those whom it allowed, or is suspicious anyhow, cuts nobody. */
  #judge(session: Session, answer: BackendAnswer | undefined): 'renewed' | 'denied' | 'held' | 'unavailable' {
    const { backend } = session;
    const isAnswered = answer?.kind === 'allow' || answer?.kind === 'deny';
    // A member of its group that might allow it could not be asked.
    if (!isAnswered || answer.reason === 'group-partial') return 'unavailable';
    if (this.parts.isSuspicious(backend)) {
      this.#doubt(backend, true);
      return answer.kind === 'allow' ? 'renewed' : 'held';
    }
    const { edge, sessionId } = session;
    const now = this.parts.clock.monotonic();
    const belief = this.#brake.note(backend, `${edge}/${sessionId}`, answer.kind === 'deny', now);
    if (belief === undefined) return 'renewed';
    this.#doubt(backend, belief === 'doubted');
    const isBelieved = belief === 'believed' || (belief === 'held' && this.parts.isRefreshed(session));
    return isBelieved ? 'denied' : 'held';
  }

  #doubt(backend: string, isDoubted: boolean): void {
    if (isDoubted && !this.#doubted.has(backend))
      this.parts.log.warn(
        { backend },
        `${backend} refuses too many of those whom it allowed: nobody is cut by that`,
      );
    if (isDoubted) this.#doubted.add(backend);
    else this.#doubted.delete(backend);
  }

  async #extend(shard: string, session: Session): Promise<void> {
    const { store, registry, clock, random, grace } = this.parts;
    const now = clock.now();
    if (session.state === 'active' && session.authorizedUntil <= now)
      await registry.open({ ...session, state: 'unconfirmed' });
    await store.again(shard, session, now + grace * (1 + random()));
  }

  #ask(
    { check, identity, backend }: Renewal,
    { openedAt, aliveUntil }: Session,
  ): Promise<BackendAnswer | undefined> {
    const now = this.parts.clock.now();
    return this.parts.ask({
      check,
      identity,
      target: backend,
      // Among those that a ramp lets through, re-checks come last.
      known: false,
      deadline: now + PATIENCE,
      askedAt: now,
      renews: { openedAt, aliveUntil },
    });
  }
}
