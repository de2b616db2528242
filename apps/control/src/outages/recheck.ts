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
  readonly note: (loan: Loan, result: OutageResult) => Promise<void>;
  readonly signal: AbortSignal;
  readonly pause?: Pause;
}

/** How asking again went. `stopped`: too many were refused; `broken-off`: by the end of this process. */
export interface Rechecked {
  readonly kind: 'done' | 'stopped' | 'broken-off';
  readonly answered: number;
  readonly denied: number;
}

type Denied = readonly [loan: Loan, session: Session];

/**
 * Asks about those who were let in and play on, and cuts whom the backend refuses. Nobody is cut before the first 100
 * were answered: a backend that has just come back and refuses everybody is more likely to be wrong.
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
  #held: Denied[] = [];
  #isTrial = true;
  #stopped = false;
  #answered = 0;
  #denied = 0;
  #nextAt: number;
  readonly #pause: Pause;

  constructor(
    private readonly parts: RecheckParts,
    private readonly name: OutageName,
    loans: readonly Loan[],
  ) {
    this.#waiting = loans.map((loan) => ({ loan, tries: 0 })).reverse();
    this.#nextAt = parts.clock.monotonic();
    this.#pause = parts.pause ?? pause;
  }

  async run(): Promise<Rechecked> {
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => this.#work()));
    if (!this.#stopped && this.#isTrial && !this.parts.signal.aborted) await this.#endTrial();
    if (this.#stopped) await this.#leaveAlone();
    const kind = this.#stopped ? 'stopped' : this.parts.signal.aborted ? 'broken-off' : 'done';
    return { kind, answered: this.#answered, denied: this.#denied };
  }

  async #work(): Promise<void> {
    const { signal } = this.parts;
    for (;;) {
      await this.#turn();
      if (signal.aborted || this.#stopped) return;
      const next = this.#waiting.pop();
      if (next === undefined) return;
      if (await this.#settle(next.loan)) continue;
      if (next.tries + 1 < TRIES) this.#waiting.unshift({ loan: next.loan, tries: next.tries + 1 });
      else await this.parts.note(next.loan, 'not-checkable');
    }
  }

  /** In its time, and while the backend can be asked. */
  async #turn(): Promise<void> {
    const { clock, random, pace, mayAsk, signal } = this.parts;
    const { backend } = this.name;
    do {
      // First, or all who waited would ask at once.
      while (!mayAsk(backend) && !signal.aborted) await this.#pause(WAIT, signal);
      const now = clock.monotonic();
      const at = Math.max(now, this.#nextAt);
      // A tenth to and fro: several outages are not settled in step.
      this.#nextAt = at + (1000 / pace(backend)) * (0.9 + 0.2 * random());
      await this.#pause(at - now, signal);
    } while (!mayAsk(backend) && !signal.aborted);
  }

  /** False where it could not be asked. */
  async #settle(loan: Loan): Promise<boolean> {
    const { note } = this.parts;
    const session = await this.parts.read(loan.session);
    if (session?.fingerprint !== loan.fingerprint || session.state === 'revoked') {
      await note(loan, 'gone');
      return true;
    }
    const check = await this.parts.checkOf(this.name, loan.field);
    if (check === undefined) {
      await note(loan, 'not-checkable');
      return true;
    }
    const answer = await this.parts.ask(this.#question(check, session));
    if (answer === undefined || answer.kind === 'unavailable') return false;
    this.#answered += 1;
    if (answer.kind === 'allow') await note(loan, 'kept');
    else await this.#denial([loan, session]);
    if (this.#isTrial && this.#answered >= TRIAL) await this.#endTrial();
    return true;
  }

  async #denial(denied: Denied): Promise<void> {
    this.#denied += 1;
    if (this.#isTrial || this.#stopped) this.#held.push(denied);
    else await this.#cut(denied);
  }

  async #endTrial(): Promise<void> {
    if (!this.#isTrial) return;
    this.#isTrial = false;
    this.#stopped = this.#denied > MOST_DENIED;
    if (this.#stopped) return;
    const held = this.#held;
    this.#held = [];
    for (const denied of held) await this.#cut(denied);
  }

  async #cut([loan, session]: Denied): Promise<void> {
    const cut = await this.parts.revoke(session, 'denied-on-recheck');
    await this.parts.note(loan, cut ? 'cut' : 'gone');
  }

  async #leaveAlone(): Promise<void> {
    for (const [loan] of this.#held) await this.parts.note(loan, 'denied');
    for (const { loan } of this.#waiting) await this.parts.note(loan, 'not-checked');
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
