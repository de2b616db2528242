import { setMaxListeners } from 'node:events';
import type {
  BackendAnswer,
  Check,
  Clock,
  CloseReason,
  Question,
  Random,
  ReasonCode,
  Session,
  SessionName,
} from '#usher/domain';
import type { Column, OutageName, OutageResult } from '#usher/sessions';
import { pause, type Pause } from '../pause.js';

/** Nobody is cut before so many were answered … */
const TRIAL = 100;
/** … and nobody more if more of them would be, or of any hundred that follow. */
const MOST_DENIED = 20;
/** A denial is believed when so many more were answered, and the backend is itself still. */
const SEEN_AFTER = 20;
/** The last ones have nobody after them: more of the last twenty are unlike people who do not pay. */
const MOST_OF_LAST = 10;
/** Nobody waits at a player, ms. */
const PATIENCE = 15_000;
/** A session that could not be asked about is tried so often. */
const TRIES = 3;
/** While the backend cannot be asked it is looked at again, ms. */
const WAIT = 1_000;
/** It was not asked, or is not believed: that says nothing about whoever was to be asked about. */
const NOT_ASKED: ReadonlySet<ReasonCode> = new Set([
  'backend-suspended',
  'backend-switched',
  'backend-suspicious',
  'isolated',
  'paced',
  'bulkhead-full',
]);

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
  /** Of the first 100 so few were refused that whom the backend refuses is cut, as long as that goes on. */
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
  /** It is asked as ever, and believed: else nobody is asked about, and nobody cut. */
  readonly mayAsk: (backend: string) => boolean;
  /** Questions a second. */
  readonly pace: (backend: string) => number;
  /** Questions that may be under way at once. */
  readonly width: (backend: string) => number;
  readonly book: RecheckBook;
  readonly signal: AbortSignal;
  readonly pause?: Pause;
}

/** How asking again went. */
export type Rechecked = {
  readonly answered: number;
  /** In the trial, and afterwards as far as this process asked. */
  readonly denied: number;
} & (
  | {
      /** `broken-off`: by the end of this process, or of its lease. */
      readonly kind: 'done' | 'broken-off';
      readonly why?: undefined;
    }
  | {
      /** Too many were refused. */
      readonly kind: 'stopped';
      readonly why: string;
    }
);

/** Refused, and not cut yet. */
interface Held {
  readonly loan: Loan;
  /** It is believed when so many were answered. */
  readonly ripeAt: number;
}

/**
 * Asks about those who were let in and play on, and cuts whom the backend refuses. Nobody is cut before the first 100
 * were answered, and 20 more after him: a backend that has just come back and refuses everybody, or begins to in the middle
 * of it, is more likely to be wrong. Who goes on after another control asks nobody whom that one had an answer about, and
 * counts on from its answers. Rejects as Redis does.
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
  /** Those who were refused first come first. */
  readonly #held: Held[];
  #isTrial: boolean;
  #why: string | undefined;
  #answered: number;
  #denied: number;
  /** Whether the last answers that this process had are denials, the newest last. */
  readonly #last: boolean[] = [];
  /** That the trial is over, or that it is stopped, is written down. */
  #written: Promise<void> = Promise.resolve();
  #failure: unknown;
  #nextAt: number;
  readonly #pause: Pause;

  constructor(
    private readonly parts: RecheckParts,
    private readonly name: OutageName,
    loans: readonly Loan[],
  ) {
    const { answered, passed } = parts.book.begun;
    const ripeAt = answered + SEEN_AFTER;
    this.#held = loans.filter(({ refused }) => refused === true).map((loan) => ({ loan, ripeAt }));
    this.#waiting = loans
      .filter(({ refused }) => refused !== true)
      .map((loan) => ({ loan, tries: 0 }))
      .reverse();
    this.#isTrial = !passed;
    this.#answered = answered;
    this.#denied = this.#held.length;
    this.#nextAt = parts.clock.monotonic();
    this.#pause = parts.pause ?? pause;
    // As many as ask side by side.
    setMaxListeners(0, parts.signal);
  }

  async run(): Promise<Rechecked> {
    if (this.#isTrial && this.#answered >= TRIAL) await this.#endTrial();
    const fail = (error: unknown): void => void (this.#failure ??= error);
    const length = this.parts.width(this.name.backend);
    await Promise.all(Array.from({ length }, () => this.#work().catch(fail)));
    if (this.#failure !== undefined) throw this.#failure;
    await this.#endAll();
    const came = { answered: this.#answered, denied: this.#denied };
    if (this.#why === undefined) return { ...came, kind: this.parts.signal.aborted ? 'broken-off' : 'done' };
    await this.#leaveAlone();
    return { ...came, kind: 'stopped', why: this.#why };
  }

  get #isOver(): boolean {
    return this.parts.signal.aborted || this.#why !== undefined || this.#failure !== undefined;
  }

  get #mayAsk(): boolean {
    return this.parts.mayAsk(this.name.backend);
  }

  async #work(): Promise<void> {
    for (;;) {
      await this.#turn();
      if (this.#isOver) return;
      const next = this.#waiting.pop();
      if (next === undefined) return;
      const settled = await this.#settle(next.loan);
      if (settled === 'settled') continue;
      const tries = next.tries + (settled === 'failed' ? 1 : 0);
      if (tries < TRIES) this.#waiting.unshift({ loan: next.loan, tries });
      else await this.parts.book.note(next.loan, 'not-checkable');
      // Others see that it is not asked before this process does.
      if (settled === 'not-asked') await this.#pause(WAIT, this.parts.signal);
    }
  }

  /** In its time, and while the backend can be asked. */
  async #turn(): Promise<void> {
    const { clock, random, pace, signal } = this.parts;
    do {
      // First, or all who waited would ask at once.
      await this.#untilAsked();
      const now = clock.monotonic();
      const at = Math.max(now, this.#nextAt);
      // A tenth to and fro: several outages are not settled in step.
      this.#nextAt = at + (1000 / pace(this.name.backend)) * (0.9 + 0.2 * random());
      await this.#pause(at - now, signal);
    } while (!this.#mayAsk && !this.#isOver);
  }

  async #untilAsked(): Promise<void> {
    while (!this.#mayAsk && !this.#isOver) await this.#pause(WAIT, this.parts.signal);
  }

  /** `failed`: it could not be asked about; `not-asked`: nobody can be now. */
  async #settle(loan: Loan): Promise<'settled' | 'failed' | 'not-asked'> {
    const { book } = this.parts;
    const session = await this.#find(loan);
    if (session === undefined) {
      await book.note(loan, 'gone');
      return 'settled';
    }
    const check = await this.parts.checkOf(this.name, loan.field);
    if (check === undefined) {
      await book.note(loan, 'not-checkable');
      return 'settled';
    }
    const answer = await this.parts.ask(this.#question(check, session));
    // What it says while it is not believed says nothing, and asking again costs little.
    if (!this.#mayAsk || (answer !== undefined && NOT_ASKED.has(answer.reason))) return 'not-asked';
    if (answer === undefined || answer.kind === 'unavailable') return 'failed';
    await this.#note(loan, answer.kind === 'deny');
    return 'settled';
  }

  async #note(loan: Loan, isDenied: boolean): Promise<void> {
    const { book } = this.parts;
    this.#answered += 1;
    this.#last.push(isDenied);
    if (this.#last.length > TRIAL) this.#last.shift();
    if (isDenied) this.#denied += 1;
    const ripeAt = this.#answered + SEEN_AFTER;
    // First: whoever goes on has to cut him, and need not ask.
    await book.note(loan, isDenied ? 'denied' : 'kept');
    if (isDenied) this.#held.push({ loan, ripeAt });
    if (this.#isOver) return;
    if (!this.#isTrial) await this.#goOn();
    else if (this.#answered >= TRIAL) await this.#endTrial();
    else await book.keep({ answered: this.#answered, passed: false });
  }

  /** Who plays on as the one that was let in. */
  async #find({ session: name, fingerprint }: Loan): Promise<Session | undefined> {
    const session = await this.parts.read(name);
    return session?.fingerprint === fingerprint && session.state !== 'revoked' ? session : undefined;
  }

  async #endTrial(): Promise<void> {
    if (!this.#isTrial) return;
    this.#isTrial = false;
    if (this.#denied > MOST_DENIED) return this.#stop(`${this.#denied} of ${this.#answered} were refused`);
    this.#written = this.parts.book.keep({ answered: this.#answered, passed: true });
    await this.#written;
  }

  /** After the trial: stops where too many of the last ones were refused, else cuts those who are believed by now. */
  async #goOn(): Promise<void> {
    if (deniedOf(this.#last) > MOST_DENIED) return this.#stop(tooMany(this.#last));
    await this.#written;
    await this.#cutHeld(() => this.#answered);
  }

  /** Everybody was asked about: nobody's answer comes after the last ones. */
  async #endAll(): Promise<void> {
    if (this.#isTrial && !this.#isOver) await this.#endTrial();
    else if (deniedOf(this.#last.slice(-SEEN_AFTER)) > MOST_OF_LAST && !this.#isOver)
      await this.#stop(tooMany(this.#last.slice(-SEEN_AFTER)));
    while (this.#held.length > 0 && !this.#isOver) {
      await this.#untilAsked();
      await this.#cutHeld(() => Infinity);
    }
  }

  async #stop(why: string): Promise<void> {
    if (this.#why !== undefined) return;
    this.#why = why;
    this.#written = this.parts.book.stop(why);
    await this.#written;
  }

  /** Those who are ripe at so many answers. */
  async #cutHeld(answers: () => number): Promise<void> {
    while (!this.#isOver && this.#mayAsk) {
      const [first] = this.#held;
      if (first === undefined || first.ripeAt > answers()) return;
      this.#held.shift();
      await this.#cut(first.loan);
    }
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

function deniedOf(answers: readonly boolean[]): number {
  return answers.filter(Boolean).length;
}

const tooMany = (last: readonly boolean[]): string =>
  `${deniedOf(last)} of the last ${last.length} were refused`;
