import type { GuardConfig } from '#usher/config';
import type { BackendAnswer, Clock, UnavailableAnswer } from '#usher/domain';
import {
  shareOf,
  sumOf,
  usualOf,
  type GuardCounts,
  type GuardReport,
  type ShareCounts,
} from './guard-report.js';
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
  /** What the guards of all other processes tell, together. Default: nothing. */
  readonly elsewhere?: () => GuardReport | undefined;
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
 * denies everybody with a clean 403, and one in trouble may allow everybody: no breaker sees that. It judges by what this
 * process was answered, and by what all processes were answered together: with many of them each sees few answers.
 */
export class Guard {
  readonly #knownDenied: ShareWatch;
  readonly #denied: ShareWatch;
  #suspicion: ShareSuspicion | undefined;
  /** This process' own answers were enough for it. */
  #isOwn = false;
  #heardAt = 0;

  constructor(private readonly options: GuardOptions) {
    this.#knownDenied = new ShareWatch(options.clock);
    this.#denied = new ShareWatch(options.clock);
  }

  /** What is wrong by its answers to viewers, here or in another process, else by those to canaries. */
  get suspicion(): Suspicion | undefined {
    return this.#suspicion ?? this.options.elsewhere?.()?.suspicion ?? this.options.canaries?.();
  }

  /** For the other processes; looks whether a suspicion is over, too. Undefined: there is nothing to tell. */
  report(): GuardReport | undefined {
    this.#turn();
    if (this.#suspicion !== undefined) this.#reviewEnd(this.#suspicion);
    const counts = this.#own();
    if (counts.all.answers === 0 && this.#suspicion === undefined) return undefined;
    return { ...counts, suspicion: this.#suspicion };
  }

  /** Counts an answer; gives it back, or where the policy says so a failure in the place of a suspicious one. */
  pass(answer: BackendAnswer, known: boolean): BackendAnswer {
    if (answer.kind === 'unavailable') return answer;
    const denied = answer.kind === 'deny';
    const byCanaries = this.options.canaries?.();
    this.#turn();
    this.#denied.count(denied);
    if (known) this.#knownDenied.count(denied);
    this.#review(known);
    if (this.options.config.policy === 'announce') return answer;
    const why =
      (this.#suspicion && disbelief(answer.kind, this.#suspicion)) ??
      (byCanaries && disbelief(answer.kind, byCanaries));
    return why === undefined ? answer : failureOf(answer, why);
  }

  #review(known: boolean): void {
    const suspicion = this.#suspicion;
    if (suspicion === undefined) this.#judge();
    else this.#reviewEnd(suspicion);
    if (known || suspicion?.kind !== 'known-denied') this.#heardAt = this.options.clock.monotonic();
  }

  #judge(): void {
    const own = this.#own();
    if (this.#suspects(own)) this.#isOwn = true;
    else if (this.options.elsewhere !== undefined && this.#suspects(this.#together(own))) this.#isOwn = false;
  }

  /** True: a suspicion began. */
  #suspects({ known, all }: GuardCounts): boolean {
    if (this.#knownAreDenied(known)) this.#begin('known-denied', known);
    else if (this.#allAreAllowed(all)) this.#begin('all-allowed', all);
    else return false;
    return true;
  }

  #reviewEnd({ kind, since }: ShareSuspicion): void {
    const { clock } = this.options;
    const counts = this.#isOwn ? this.#own() : this.#together(this.#own());
    const isSilent = clock.monotonic() - this.#heardAt >= SILENCE;
    // What others were answered is heard, too.
    const relevant = kind === 'known-denied' ? counts.known : counts.all;
    if (!this.#isOwn && relevant.answers > 0) this.#heardAt = clock.monotonic();
    if (clock.now() - since >= RELEARN_AFTER) {
      this.#knownDenied.relearn();
      this.#denied.relearn();
      this.#end();
    } else if (isSilent || this.#isCleared(kind, counts)) {
      this.#end();
    }
  }

  #knownAreDenied(known: ShareCounts): boolean {
    const { minimum } = this.options.config;
    return known.answers >= minimum && this.#isUnusual(known);
  }

  #isUnusual(known: ShareCounts): boolean {
    const { knownDenied, times } = this.options.config;
    const share = shareOf(known);
    return share * 100 > knownDenied && share > times * usualOf(known);
  }

  #allAreAllowed(all: ShareCounts): boolean {
    const { times, minimum } = this.options.config;
    const expected = usualOf(all) * all.answers;
    if (all.answers < minimum || all.usualAnswers < minimum * USUAL_MINUTES) return false;
    return expected >= EXPECTED_DENIALS && all.hits * times < expected;
  }

  #isCleared(kind: ShareSuspicion['kind'], { known, all }: GuardCounts): boolean {
    if (kind === 'all-allowed') return !this.#allAreAllowed(all) && all.hits > 0;
    return known.answers >= ENOUGH_TO_CLEAR && !this.#isUnusual(known);
  }

  #own(): GuardCounts {
    return { known: this.#knownDenied.counts, all: this.#denied.counts };
  }

  #together(own: GuardCounts): GuardCounts {
    const elsewhere = this.options.elsewhere?.();
    return elsewhere === undefined ? own : sumOf(own, elsewhere);
  }

  #begin(kind: ShareSuspicion['kind'], counts: ShareCounts): void {
    this.#hold(true);
    this.#suspicion = {
      kind,
      percent: shareOf(counts) * 100,
      usualPercent: usualOf(counts) * 100,
      answers: counts.answers,
      since: this.options.clock.now(),
    };
    this.options.onSuspicious(this.#suspicion);
  }

  #end(): void {
    this.#hold(false);
    this.#suspicion = undefined;
    this.options.onSuspicious(undefined);
  }

  #turn(): void {
    // What it says while its canaries are wrong, or somebody suspects it, is not what is usual.
    this.#hold(this.suspicion !== undefined);
    this.#knownDenied.turn();
    this.#denied.turn();
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
