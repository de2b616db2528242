import type {
  BackendAnswer,
  Check,
  Clock,
  CloseReason,
  Question,
  Random,
  Session,
  SessionName,
} from '#usher/domain';
import type { Column, OutageName, OutageResult } from '#usher/sessions';
import { pause, type Pause } from '../pause.js';

/** Nobody is cut before so many were answered … */
const TRIAL = 100;
/** … and nobody at all if more of them would be. */
const MOST_DENIED = 20;
/** Questions that are under way at once. */
const SIDE_BY_SIDE = 8;
/** Nobody waits at a player, ms. */
const PATIENCE = 15_000;
/** A session that could not be asked about is tried so often. */
const TRIES = 3;
/** While the backend cannot be asked it is looked at again, ms. */
const WAIT = 1_000;

/** A session that was let in, plays on, and is asked about. */
export interface Loan {
  readonly field: string;
  readonly column: Column;
  readonly session: SessionName;
  readonly fingerprint: string;
  /** The backend refused it when it was asked again, and it was not cut yet. */
  readonly refused?: boolean;
}

/** How far asking again has come. */
export interface Begun {
  readonly answered: number;
  /** Of the first 100 so few were refused that whom the backend refuses is cut. */
  readonly passed: boolean;
}

/** What is written down at once: another control goes on from there. All of it rejects as Redis does. */
export interface RecheckBook {
  readonly begun: Begun;
  readonly note: (loan: Pick<Loan, 'field' | 'column'>, result: OutageResult) => Promise<void>;
  readonly keep: (begun: Begun) => Promise<void>;
  /** Nobody is cut, by whoever goes on. */
  readonly stop: (why: string) => Promise<void>;
}

export interface RecheckParts {
  readonly clock: Clock;
  readonly random: Random;
  /** The check that was sealed with a line; undefined: it is gone, or cannot be opened. */
  readonly checkOf: (name: OutageName, field: string) => Promise<Check | undefined>;
  readonly read: (name: SessionName) => Promise<Session | undefined>;
  /** Asks behind everybody else; an allow is written down. */
  readonly ask: (question: Question) => Promise<BackendAnswer | undefined>;
  /** Ends a session that the backend refuses; true if it was there still. */
  readonly revoke: (session: Session, reason: CloseReason) => Promise<boolean>;
  /** Its breaker is closed. */
  readonly mayAsk: (backend: string) => boolean;
  /** Questions a second. */
  readonly pace: (backend: string) => number;
  readonly book: RecheckBook;
  readonly signal: AbortSignal;
  readonly pause?: Pause;
}

/** How asking again went. `stopped`: too many were refused; `broken-off`: by the end of this process, or of its lease. */
export interface Rechecked {
  readonly kind: 'done' | 'stopped' | 'broken-off';
  readonly answered: number;
  /** In the trial, and afterwards as far as this process asked. */
  readonly denied: number;
}

/**
 * Asks about those who were let in and play on, and cuts whom the backend refuses. Nobody is cut before the first 100
 * were answered: a backend that has just come back and refuses everybody is more likely to be wrong. Who goes on after
 * another control asks nobody whom that one had an answer about, and counts on from its answers. Rejects as Redis does.
 */
export async function recheckOutage(
  parts: RecheckParts,
  name: OutageName,
  loans: readonly Loan[],
): Promise<Rechecked> {
  return new Recheck(parts, name, loans).run();
}

class Recheck {
  readonly #waiting: { readonly loan: Loan; readonly tries: number }[];
  /** Refused in the trial, and not cut yet. */
  #held: Loan[];
  #isTrial: boolean;
  #stopped = false;
  #answered: number;
  #denied: number;
  /** That the trial is over is written down. */
  #trialEnd: Promise<void> = Promise.resolve();
  #failure: unknown;
  #nextAt: number;
  readonly #pause: Pause;

  constructor(
    private readonly parts: RecheckParts,
    private readonly name: OutageName,
    loans: readonly Loan[],
  ) {
    const { answered, passed } = parts.book.begun;
    this.#held = loans.filter(({ refused }) => refused === true);
    this.#waiting = loans
      .filter(({ refused }) => refused !== true)
      .map((loan) => ({ loan, tries: 0 }))
      .reverse();
    this.#isTrial = !passed;
    this.#answered = answered;
    this.#denied = this.#held.length;
    this.#nextAt = parts.clock.monotonic();
    this.#pause = parts.pause ?? pause;
  }

  async run(): Promise<Rechecked> {
    if (!this.#isTrial) await this.#cutHeld();
    else if (this.#answered >= TRIAL) await this.#endTrial();
    const fail = (error: unknown): void => void (this.#failure ??= error);
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => this.#work().catch(fail)));
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#stopped && this.#isTrial && !this.parts.signal.aborted) await this.#endTrial();
    if (this.#stopped) await this.#leaveAlone();
    const kind = this.#stopped ? 'stopped' : this.parts.signal.aborted ? 'broken-off' : 'done';
    return { kind, answered: this.#answered, denied: this.#denied };
  }

  get #isOver(): boolean {
    return this.parts.signal.aborted || this.#stopped || this.#failure !== undefined;
  }

  async #work(): Promise<void> {
    for (;;) {
      await this.#turn();
      if (this.#isOver) return;
      const next = this.#waiting.pop();
      if (next === undefined) return;
      if (await this.#settle(next.loan)) continue;
      if (next.tries + 1 < TRIES) this.#waiting.unshift({ loan: next.loan, tries: next.tries + 1 });
      else await this.parts.book.note(next.loan, 'not-checkable');
    }
  }

  /** In its time, and while the backend can be asked. */
  async #turn(): Promise<void> {
    const { clock, random, pace, mayAsk, signal } = this.parts;
    const { backend } = this.name;
    do {
      // First, or all who waited would ask at once.
      while (!mayAsk(backend) && !this.#isOver) await this.#pause(WAIT, signal);
      const now = clock.monotonic();
      const at = Math.max(now, this.#nextAt);
      // A tenth to and fro: several outages are not settled in step.
      this.#nextAt = at + (1000 / pace(backend)) * (0.9 + 0.2 * random());
      await this.#pause(at - now, signal);
    } while (!mayAsk(backend) && !this.#isOver);
  }

  /** False where it could not be asked. */
  async #settle(loan: Loan): Promise<boolean> {
    const { book } = this.parts;
    const session = await this.#find(loan);
    if (session === undefined) {
      await book.note(loan, 'gone');
      return true;
    }
    const check = await this.parts.checkOf(this.name, loan.field);
    if (check === undefined) {
      await book.note(loan, 'not-checkable');
      return true;
    }
    const answer = await this.parts.ask(this.#question(check, session));
    if (answer === undefined || answer.kind === 'unavailable') return false;
    this.#answered += 1;
    if (answer.kind === 'allow') await book.note(loan, 'kept');
    else await this.#denial(loan);
    if (!this.#isTrial) return true;
    if (this.#answered >= TRIAL) await this.#endTrial();
    else await book.keep({ answered: this.#answered, passed: false });
    return true;
  }

  /** Who plays on as the one that was let in. */
  async #find({ session: name, fingerprint }: Loan): Promise<Session | undefined> {
    const session = await this.parts.read(name);
    return session?.fingerprint === fingerprint && session.state !== 'revoked' ? session : undefined;
  }

  async #denial(loan: Loan): Promise<void> {
    this.#denied += 1;
    // First: whoever goes on has to cut him, and need not ask.
    await this.parts.book.note(loan, 'denied');
    if (this.#isTrial) return void this.#held.push(loan);
    await this.#trialEnd;
    if (!this.#stopped) await this.#cut(loan);
  }

  async #endTrial(): Promise<void> {
    if (!this.#isTrial) return;
    this.#isTrial = false;
    this.#stopped = this.#denied > MOST_DENIED;
    const { book } = this.parts;
    this.#trialEnd = this.#stopped
      ? book.stop(`${this.#denied} of ${this.#answered} were refused`)
      : book.keep({ answered: this.#answered, passed: true });
    await this.#trialEnd;
    if (!this.#stopped) await this.#cutHeld();
  }

  async #cutHeld(): Promise<void> {
    const held = this.#held;
    this.#held = [];
    for (const loan of held) await this.#cut(loan);
  }

  async #cut(loan: Loan): Promise<void> {
    const session = await this.#find(loan);
    const isCut = session !== undefined && (await this.parts.revoke(session, 'denied-on-recheck'));
    await this.parts.book.note(loan, isCut ? 'cut' : 'gone');
  }

  async #leaveAlone(): Promise<void> {
    for (const { loan } of this.#waiting) await this.parts.book.note(loan, 'not-checked');
  }

  #question(check: Check, { fingerprint, viewerKey }: Session): Question {
    const now = this.parts.clock.now();
    return {
      check,
      identity: { fingerprint, viewerKey },
      target: this.name.backend,
      // Among those that a ramp lets through, these come last.
      known: false,
      deadline: now + PATIENCE,
      askedAt: now,
    };
  }
}
