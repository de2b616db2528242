import type { GuardConfig } from '#usher/config';
import type { BackendAnswer, Clock, UnavailableAnswer } from '#usher/domain';
import { ShareWatch } from './share-watch.js';

/** Answers that are clean and yet unlike a backend that works. */
export interface Suspicion {
  /** `known-denied`: it refuses those whom it knew; `all-allowed`: it refuses almost nobody any longer. */
  readonly kind: 'known-denied' | 'all-allowed';
  /** Percent of the last minute's answers that are denials: of known viewers, or overall. */
  readonly percent: number;
  /** … and usually, in the last hours. */
  readonly usualPercent: number;
  /** The last minute's answers: to known viewers, or overall. */
  readonly answers: number;
  /** Cluster time, ms. */
  readonly since: number;
}

export interface GuardOptions {
  readonly backend: string;
  readonly config: GuardConfig;
  readonly clock: Clock;
  /** It became suspicious; undefined: it is no longer. */
  readonly onSuspicious: (suspicion: Suspicion | undefined) => void;
}

/** That nobody is refused says something only where so many refusals were to be expected within the minute. */
const EXPECTED_DENIALS = 10;
/** What is usual must rest on so many minutes' worth of the least answers before too few denials are suspicious. */
const USUAL_MINUTES = 10;
/** So many good answers to known viewers end a suspicion: while suspended there are hardly more than the probes. */
const ENOUGH_TO_CLEAR = 2;
/** Without answers to judge by a suspicion ends after so long, ms. */
const SILENCE = 600_000;
/** What lasts so long is how the backend is now, ms. */
const RELEARN_AFTER = 6 * 3_600_000;

/**
 * Watches the share of denials among known viewers, and overall, against the last hours. A middleware whose cache died
 * denies everybody with a clean 403, and one in trouble may allow everybody: no breaker sees that.
 */
export class Guard {
  readonly #knownDenied: ShareWatch;
  readonly #denied: ShareWatch;
  #suspicion: Suspicion | undefined;
  #heardAt = 0;

  constructor(private readonly options: GuardOptions) {
    this.#knownDenied = new ShareWatch(options.clock);
    this.#denied = new ShareWatch(options.clock);
  }

  get suspicion(): Suspicion | undefined {
    return this.#suspicion;
  }

  /** Counts an answer; gives it back, or where the policy says so a failure in the place of a suspicious one. */
  pass(answer: BackendAnswer, known: boolean): BackendAnswer {
    if (answer.kind === 'unavailable') return answer;
    const denied = answer.kind === 'deny';
    this.#denied.count(denied);
    this.#knownDenied.turn();
    if (known) this.#knownDenied.count(denied);
    this.#review(known);
    const suspicion = this.#suspicion;
    if (suspicion === undefined || this.options.config.policy === 'announce') return answer;
    return denied === (suspicion.kind === 'known-denied') ? failureOf(answer, suspicion) : answer;
  }

  #review(known: boolean): void {
    const now = this.options.clock.monotonic();
    const suspicion = this.#suspicion;
    if (suspicion === undefined) {
      if (this.#knownAreDenied()) this.#begin('known-denied', this.#knownDenied);
      else if (this.#allAreAllowed()) this.#begin('all-allowed', this.#denied);
    } else if (this.options.clock.now() - suspicion.since >= RELEARN_AFTER) {
      this.#knownDenied.relearn();
      this.#denied.relearn();
      this.#end();
    } else if (now - this.#heardAt >= SILENCE || this.#isCleared(suspicion)) {
      this.#end();
    }
    if (known || suspicion?.kind !== 'known-denied') this.#heardAt = now;
  }

  #knownAreDenied(): boolean {
    const { knownDenied, times, minimum } = this.options.config;
    const { answers, share, usual } = this.#knownDenied;
    return answers >= minimum && share * 100 > knownDenied && share > times * usual;
  }

  #allAreAllowed(): boolean {
    const { times, minimum } = this.options.config;
    const { answers, hits, usual, usualAnswers } = this.#denied;
    const expected = usual * answers;
    if (answers < minimum || usualAnswers < minimum * USUAL_MINUTES) return false;
    return expected >= EXPECTED_DENIALS && hits * times < expected;
  }

  #isCleared({ kind }: Suspicion): boolean {
    const { knownDenied, times } = this.options.config;
    if (kind === 'all-allowed') return !this.#allAreAllowed() && this.#denied.hits > 0;
    const { answers, share, usual } = this.#knownDenied;
    return answers >= ENOUGH_TO_CLEAR && (share * 100 <= knownDenied || share <= times * usual);
  }

  #begin(kind: Suspicion['kind'], watch: ShareWatch): void {
    this.#hold(true);
    this.#suspicion = {
      kind,
      percent: watch.share * 100,
      usualPercent: watch.usual * 100,
      answers: watch.answers,
      since: this.options.clock.now(),
    };
    this.options.onSuspicious(this.#suspicion);
  }

  #end(): void {
    this.#hold(false);
    this.#suspicion = undefined;
    this.options.onSuspicious(undefined);
  }

  #hold(held: boolean): void {
    this.#knownDenied.held = held;
    this.#denied.held = held;
  }
}

function failureOf(
  { backend, status, tookMs }: Exclude<BackendAnswer, UnavailableAnswer>,
  { kind }: Suspicion,
): UnavailableAnswer {
  const detail =
    kind === 'known-denied'
      ? `${backend}: it refuses viewers whom it knew`
      : `${backend}: it refuses almost nobody any longer`;
  return {
    kind: 'unavailable',
    backend,
    because: 'backend',
    reason: 'backend-suspicious',
    detail,
    status,
    tookMs,
  };
}
