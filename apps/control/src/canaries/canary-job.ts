import {
  afterRound,
  CANARIES,
  CANARY_IDENTITY,
  canaryCheck,
  isSameSuspicion,
  suspicionOf,
  type CanaryAnswers,
  type CanaryKeeper,
  type CanaryName,
  type CanarySuspicion,
} from '#usher/backends';
import type { CanariesConfig } from '#usher/config';
import type { BackendAnswer, Clock, Log, Question, Random } from '#usher/domain';
import { Rounds, type Leases } from '#usher/sessions';

/** Who is due is looked up so often, ms. */
const LOOK_EVERY = 1_000;
/** The lease is renewed so often, ms. */
const RENEW_EVERY = 5_000;
/** The first round comes within so long, ms. */
const FIRST = 5_000;
/** Of the interval, each way: backends, and controls that take over, do not ask all at once. */
const JITTER = 0.2;
/** A canary waits behind everybody else, at most so long, ms. */
const PATIENCE = 5_000;
/** All are sent by one process. */
export const CANARY_PARTS = 1;
const PART = 0;

export interface CanaryJobParts {
  readonly backends: ReadonlyMap<string, CanariesConfig>;
  readonly keeper: Pick<CanaryKeeper, 'read' | 'write'>;
  /** CANARY_PARTS of them. */
  readonly leases: Pick<Leases, 'renew' | 'holds' | 'release'>;
  /** Asks behind everybody else; undefined where nobody can. */
  readonly ask: (question: Question) => Promise<BackendAnswer | undefined>;
  /** Why this backend is not to be asked now. */
  readonly resting: (backend: string) => 'switched' | 'suspended' | undefined;
  /** What its canaries show is another thing than before, and written. */
  readonly onTurn: (backend: string, suspicion: CanarySuspicion | undefined) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What became of the canaries that were sent, since the start. */
export interface CanaryCounts {
  right: number;
  wrong: number;
  unavailable: number;
}

/**
 * Sends the canaries of all backends, each backend's in its interval, and writes down what they show. One that cannot be
 * answered says nothing. A backend that is switched or suspended is left in peace, unless its canaries are why it is
 * suspended: then only they can tell that it is right again.
 */
export class CanaryJob {
  readonly counts: CanaryCounts = { right: 0, wrong: 0, unavailable: 0 };
  readonly #rounds: Rounds;
  /** By our own monotonic clock, ms. */
  readonly #due = new Map<string, number>();
  readonly #under = new Map<string, Promise<void>>();
  #renewAt = Number.NEGATIVE_INFINITY;
  #sent = 0;

  constructor(private readonly parts: CanaryJobParts) {
    const { backends, clock, random } = parts;
    for (const [name, { every }] of backends)
      this.#due.set(name, clock.monotonic() + random() * Math.min(every, FIRST));
    this.#rounds = new Rounds(LOOK_EVERY, () => this.round());
  }

  start(): void {
    if (this.parts.backends.size > 0) this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.settled();
    await this.parts.leases.release().catch(() => undefined);
  }

  /** Sends those that are due. Never rejects: without Redis nobody holds the lease, and none are sent. */
  async round(): Promise<void> {
    const { backends, clock, leases, log } = this.parts;
    if (clock.monotonic() >= this.#renewAt) {
      this.#renewAt = clock.monotonic() + RENEW_EVERY;
      await leases.renew().catch((error: unknown) => log.debug({ error }, 'leases could not be renewed'));
    }
    if (!leases.holds(PART)) return;
    for (const [backend, config] of backends) {
      const isDue = this.#due.get(backend)! <= clock.monotonic();
      if (isDue && !this.#under.has(backend)) this.#begin(backend, config);
    }
  }

  /** When none is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#under.values());
  }

  #begin(backend: string, config: CanariesConfig): void {
    const { clock, random, log } = this.parts;
    this.#due.set(backend, clock.monotonic() + config.every * (1 - JITTER + 2 * JITTER * random()));
    const sent = this.#send(backend, config)
      .catch((error: unknown) => log.debug({ error, backend }, 'what canaries show could not be kept'))
      .finally(() => this.#under.delete(backend));
    this.#under.set(backend, sent);
  }

  async #send(backend: string, config: CanariesConfig): Promise<void> {
    const { keeper, leases, resting, clock, onTurn } = this.parts;
    const before = await keeper.read(backend);
    const wasWrong = suspicionOf(before);
    // Nobody sent any for long: everybody has forgotten it.
    const known = wasWrong !== undefined && wasWrong.until > clock.now() ? wasWrong : undefined;
    const why = resting(backend);
    const isLeft = why === 'switched' || (why === 'suspended' && wasWrong === undefined);
    const answers = isLeft ? {} : await this.#askAll(backend, config);
    // It may have taken so long that another control sends them by now.
    if (!leases.holds(PART)) return;
    const after = afterRound(before, config, answers, clock.now());
    await keeper.write(backend, after);
    const isWrong = suspicionOf(after);
    if (!isSameSuspicion(known, isWrong)) onTurn(backend, isWrong);
  }

  async #askAll(backend: string, config: CanariesConfig): Promise<CanaryAnswers> {
    const names = CANARIES.filter((name) => config[name] !== undefined);
    const asked = names.map(async (name) => [name, await this.#ask(backend, name, config)] as const);
    return Object.fromEntries(await Promise.all(asked));
  }

  async #ask(backend: string, name: CanaryName, config: CanariesConfig): Promise<BackendAnswer | undefined> {
    const { ask, clock, log } = this.parts;
    const now = clock.now();
    this.#sent += 1;
    const check = canaryCheck(backend, name, config[name]!);
    const answer = await ask({
      check: { ...check, id: `${check.id}-${this.#sent}` },
      identity: CANARY_IDENTITY,
      target: backend,
      known: false,
      canary: true,
      deadline: now + PATIENCE,
      askedAt: now,
    }).catch(() => undefined);
    const result =
      answer === undefined || answer.kind === 'unavailable' ? 'unavailable' : answer.kind === name;
    this.counts[result === 'unavailable' ? result : result ? 'right' : 'wrong'] += 1;
    if (result === false)
      log.warn({ backend, canary: name, status: answer?.status }, `${backend}: ${WRONG[name]}`);
    return answer;
  }
}

const WRONG: Readonly<Record<CanaryName, string>> = {
  allow: 'the must-allow canary is denied',
  deny: 'the must-deny canary is allowed',
};
