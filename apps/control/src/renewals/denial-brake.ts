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

/** Since when a session is refused. */
interface Refused {
  readonly at: number;
  /** The number of answers that the backend had given. */
  readonly answers: number;
}

/**
 * A portal whose cache died denies everybody with a clean 403: whom it allowed before is not cut by that. Tells by each
 * backend's last answers about sessions that it had allowed, each session's last one counted once. No first denial is
 * believed: only one that comes again, when enough others were allowed since, or, where hardly anybody is asked about,
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
  readonly #refused = new Map<string, Refused>();
  #answers = 0;

  constructor(private readonly heldFor: number) {}

  note(session: string, isDenied: boolean, now: number): Belief | undefined {
    this.#answers += 1;
    this.#last.delete(session);
    this.#last.set(session, { isDenied, at: now });
    this.#forget(now);
    if (!isDenied) {
      this.#refused.delete(session);
      return undefined;
    }
    const belief = this.#beliefIn(this.#firstRefused(session, now), now);
    if (belief === 'believed') this.#refused.delete(session);
    return belief;
  }

  #beliefIn(first: Refused, now: number): Belief {
    const { denied, allowed } = this.#count(-Infinity);
    const isEnough = denied + allowed >= ENOUGH;
    if (isEnough && denied > (denied + allowed) * TOO_MANY) return 'doubted';
    if (isEnough && this.#answers - first.answers >= ENOUGH) return 'believed';
    if (now - first.at < this.heldFor) return 'held';
    const since = this.#count(first.at);
    return since.denied <= Math.max(FEW, since.allowed) ? 'believed' : 'held';
  }

  #firstRefused(session: string, now: number): Refused {
    const before = this.#refused.get(session);
    if (before !== undefined) return before;
    const first = { at: now, answers: this.#answers };
    this.#refused.set(session, first);
    for (const oldest of this.#refused.keys()) {
      if (this.#refused.size <= MOST_REFUSED) break;
      this.#refused.delete(oldest);
    }
    return first;
  }

  /** Sessions, by their last answers since then. */
  #count(since: number): { readonly denied: number; readonly allowed: number } {
    let [denied, allowed] = [0, 0];
    for (const { isDenied, at } of this.#last.values()) {
      if (at < since) continue;
      if (isDenied) denied += 1;
      else allowed += 1;
    }
    return { denied, allowed };
  }

  #forget(now: number): void {
    for (const [session, { at }] of this.#last) {
      if (this.#last.size <= LOOKED_BACK && now - at < REMEMBERED) return;
      this.#last.delete(session);
    }
  }
}
