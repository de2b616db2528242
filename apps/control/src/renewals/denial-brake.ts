/** So many sessions' answers of a backend are looked back on … */
const LOOKED_BACK = 100;
/** … and none that is older, ms. */
const REMEMBERED = 3_600_000;
/** With so many answers it can be told whether a backend is itself. */
const ENOUGH = 20;
/** More denied than this share are unlike people who stopped paying. */
const TOO_MANY = 0.2;
/** So few may all be refused, where there are hardly more. */
const FEW = 5;
/** Refused ones of a backend whose first denial is remembered; of more the oldest begin anew. */
const MOST_REFUSED = 10_000;

/** What a denial is worth: `held`: not enough is known yet; `doubted`: the backend refuses too many. */
export type Belief = 'believed' | 'held' | 'doubted';

interface Answered {
  readonly isDenied: boolean;
  /** Monotonic, ms. */
  readonly at: number;
}

/** Since when a session is refused, monotonic, ms. */
interface Refused {
  readonly at: number;
  /** The number of answers that the backend had given. */
  readonly answers: number;
  readonly again: number;
}

/**
 * A portal whose cache died denies everybody with a clean 403: whom it allowed before is not cut by that. Tells by each
 * backend's last answers about sessions that it had allowed; that a session is refused again is no new one. No first denial
 * is believed: only one that comes again, when enough others were answered since, or, where hardly anybody is asked about,
 * after a time.
 */
export class DenialBrake {
  readonly #backends = new Map<string, BackendAnswers>();

  /** @param heldFor where too few are asked about, a denial is held so long, ms */
  constructor(private readonly heldFor: number) {}

  /** Notes what a backend says of a session at a monotonic time, ms; of a denial, whether it is believed. */
  note(backend: string, session: string, isDenied: boolean, now: number): Belief | undefined {
    let answers = this.#backends.get(backend);
    if (answers === undefined) this.#backends.set(backend, (answers = new BackendAnswers(this.heldFor)));
    return answers.note(session, isDenied, now);
  }
}

class BackendAnswers {
  /** By session, the newest last. */
  readonly #last = new Map<string, Answered>();
  /** Whoever was refused again last comes last. */
  readonly #refused = new Map<string, Refused>();
  #answers = 0;

  constructor(private readonly heldFor: number) {}

  note(session: string, isDenied: boolean, now: number): Belief | undefined {
    this.#forget(now);
    if (!isDenied) {
      this.#refused.delete(session);
      this.#count(session, { isDenied, at: now });
      return undefined;
    }
    const belief = this.#beliefIn(this.#firstRefused(session, now), now);
    if (belief === 'believed') this.#refused.delete(session);
    return belief;
  }

  #beliefIn(first: Refused, now: number): Belief {
    const answers = [...this.#last.values()];
    const denied = answers.filter(({ isDenied }) => isDenied).length;
    const isEnough = answers.length >= ENOUGH;
    if (isEnough && denied > answers.length * TOO_MANY) return 'doubted';
    if (isEnough && this.#answers - first.answers >= ENOUGH) return 'believed';
    if (now - first.at < this.heldFor) return 'held';
    const allowed = answers.filter(({ isDenied, at }) => !isDenied && at >= first.at).length;
    return this.#refused.size <= Math.max(FEW, allowed) ? 'believed' : 'held';
  }

  #firstRefused(session: string, now: number): Refused {
    const before = this.#refused.get(session);
    this.#refused.delete(session);
    if (before === undefined) this.#count(session, { isDenied: true, at: now });
    const first = before ?? { at: now, answers: this.#answers };
    this.#refused.set(session, { ...first, again: now });
    return { ...first, again: now };
  }

  #count(session: string, answered: Answered): void {
    this.#answers += 1;
    this.#last.delete(session);
    this.#last.set(session, answered);
    this.#forget(answered.at);
  }

  /** What is too old, or too much. */
  #forget(now: number): void {
    for (const [session, { at }] of this.#last) {
      if (this.#last.size <= LOOKED_BACK && now - at < REMEMBERED) break;
      this.#last.delete(session);
    }
    for (const [session, { again }] of this.#refused) {
      if (this.#refused.size <= MOST_REFUSED && now - again < REMEMBERED) break;
      this.#refused.delete(session);
    }
  }
}
