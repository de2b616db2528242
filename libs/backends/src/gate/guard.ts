import type { GuardConfig } from '#usher/config';
import type { BackendAnswer, Clock, UnavailableAnswer } from '#usher/domain';
import { ShareWatch } from './share-watch.js';
import { disbelief, type CanarySuspicion, type ShareSuspicion, type Suspicion } from './suspicion.js';

export interface GuardOptions {
  readonly backend: string;
  readonly config: GuardConfig;
  readonly clock: Clock;
  /** By its answers to viewers it became suspicious; undefined: it is no longer. */
  readonly onSuspicious: (suspicion: ShareSuspicion | undefined) => void;
  /** What its canaries show, in the whole cluster. Default: nothing. */
  readonly canaries?: () => CanarySuspicion | undefined;
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
  #suspicion: ShareSuspicion | undefined;
  #heardAt = 0;

  constructor(private readonly options: GuardOptions) {
    this.#knownDenied = new ShareWatch(options.clock);
    this.#denied = new ShareWatch(options.clock);
  }

  /** What is wrong by its answers to viewers, else by those to canaries. */
  get suspicion(): Suspicion | undefined {
    return this.#suspicion ?? this.options.canaries?.();
  }

  /** Counts an answer; gives it back, or where the policy says so a failure in the place of a suspicious one. */
  pass(answer: BackendAnswer, known: boolean): BackendAnswer {
    if (answer.kind === 'unavailable') return answer;
    const denied = answer.kind === 'deny';
    const byCanaries = this.options.canaries?.();
    // What it says while its canaries are wrong is not what is usual.
    this.#hold(this.#suspicion !== undefined || byCanaries !== undefined);
    this.#denied.count(denied);
    this.#knownDenied.turn();
    if (known) this.#knownDenied.count(denied);
    this.#review(known);
    if (this.options.config.policy === 'announce') return answer;
    const why =
      (this.#suspicion && disbelief(answer.kind, this.#suspicion)) ??
      (byCanaries && disbelief(answer.kind, byCanaries));
    return why === undefined ? answer : failureOf(answer, why);
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

  #begin(kind: ShareSuspicion['kind'], watch: ShareWatch): void {
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
  why: string,
): UnavailableAnswer {
  return {
    kind: 'unavailable',
    backend,
    because: 'backend',
    reason: 'backend-suspicious',
    detail: `${backend}: ${why}`,
    status,
    tookMs,
  };
}
