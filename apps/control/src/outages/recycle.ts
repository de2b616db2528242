import { readable, type Clock, type Random, type Session, type SessionName } from '#usher/domain';
import type { CutResult, OutageName, OutageResult } from '#usher/sessions';
import { pause as realPause, type Pause } from '../pause.js';
import type { Loan } from './recheck.js';

/** No more are cut before the first ten were judged; half of them lost is enough to stop. */
const FIRST = 10;
const MOST_OF_FIRST = 5;
/** Then the same with a hundred, and with each hundred that follows. */
const TRIAL = 100;
const MOST_LOST = 20;
/** A player that comes back by itself does so within this, ms. */
const RETURNS_WITHIN = 60_000;
/** Who came back is looked up so often, ms. */
const LOOK_EVERY = 5_000;
/** Cuts under way at once: an edge that hangs delays few others. */
const SIDE_BY_SIDE = 4;
/** An edge that fails is told so often. */
const TRIES = 3;
/** Before it is looked again whether to go on, ms. */
const WAIT = 1_000;

/** What came of a viewer who was cut. */
export type Return = 'came-back' | 'refused';

/** By what it is told whether he came back; `channel` for people. */
export type Viewer = Pick<Session, 'backend' | 'viewerKey' | 'ip' | 'channel'>;

/** Whom a control cut that has died since, and what it said of him. */
export interface Earlier {
  readonly loan: Pick<Loan, 'field' | 'column'>;
  readonly viewer: Viewer;
  /** When that was said, cluster time, ms. */
  readonly at: number;
  readonly result: 'recycled' | Return;
}

/** `asked`: the backend answers, as ever. `unsure`: that cannot be known now. Else why nobody is to be cut any more. */
export type BackendNow = 'asked' | 'unsure' | { readonly why: string };

export interface RecycleParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly read: (name: SessionName) => Promise<Session | undefined>;
  /** Tells its edge to end it; nobody is refused for it. */
  readonly cut: (session: Session, signal: AbortSignal) => Promise<CutResult>;
  /** It is over: everybody forgets it. */
  readonly close: (session: Session) => Promise<unknown>;
  readonly backendNow: (backend: string) => BackendNow;
  /** What the backend has said of the viewer since then (cluster time, ms); undefined: nothing. */
  readonly returned: (viewer: Viewer, since: number) => Promise<Return | undefined>;
  /** Sessions a second. */
  readonly pace: (backend: string) => number;
  readonly note: (loan: Pick<Loan, 'field' | 'column'>, result: OutageResult) => Promise<void>;
  /** Nobody more is cut, by another control neither. */
  readonly stop: (why: string) => Promise<void>;
  readonly signal: AbortSignal;
  readonly pause?: Pause;
}

/** How recycling went. `why`: it stopped before its end. */
export interface Recycled {
  readonly cut: number;
  /** Cut, and did not come back, or were refused then. */
  readonly lost: number;
  readonly why?: string;
}

/** Whoever was cut, and is not judged yet. */
type Cut = Pick<Earlier, 'loan' | 'viewer' | 'at'>;

/**
 * Cuts those on trust at their edges, slowly: their players come back by themselves with new credentials, and are asked about
 * properly. No hold is set, and no session is revoked: an edge that does not obey harms nobody. It goes on only while the
 * backend answers and those who were cut play again: whoever does not come back may have paid. Those whom an
 * earlier control cut count as its own. Rejects as Redis does.
 */
export function recycleOutage(
  parts: RecycleParts,
  name: OutageName,
  loans: readonly Loan[],
  earlier: readonly Earlier[] = [],
): Promise<Recycled> {
  return new Recycle(parts, name, loans, earlier).run();
}

class Recycle {
  readonly #waiting: { readonly loan: Loan; readonly tries: number }[];
  readonly #pause: Pause;
  #out: Cut[] = [];
  /** Of the last hundred that were judged: who was lost. */
  readonly #judged: boolean[] = [];
  #begun = 0;
  #judgements = 0;
  #cut = 0;
  #lost = 0;
  #working = true;
  #why: string | undefined;
  #failure: unknown;
  #nextAt: number;

  constructor(
    private readonly parts: RecycleParts,
    private readonly name: OutageName,
    loans: readonly Loan[],
    earlier: readonly Earlier[],
  ) {
    this.#waiting = loans.map((loan) => ({ loan, tries: 0 })).reverse();
    this.#nextAt = parts.clock.monotonic();
    this.#pause = parts.pause ?? realPause;
    for (const one of earlier.toSorted((a, b) => a.at - b.at)) {
      this.#begun += 1;
      this.#cut += 1;
      if (one.result === 'recycled') this.#out.push(one);
      else this.#count(one.result === 'refused');
    }
  }

  async run(): Promise<Recycled> {
    const watching = this.#watch();
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => this.#work()));
    this.#working = false;
    if (this.#why !== undefined) await this.parts.stop(this.#why);
    await watching;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#why !== undefined) {
      // Of those who were cut last too many may have been lost.
      await this.parts.stop(this.#why);
      for (const { loan } of this.#waiting) await this.parts.note(loan, 'not-checked');
    }
    const counts = { cut: this.#cut, lost: this.#lost };
    return this.#why === undefined ? counts : { ...counts, why: this.#why };
  }

  get #mayGoOn(): boolean {
    const isOver = this.parts.signal.aborted || this.#why !== undefined || this.#failure !== undefined;
    return !isOver && this.#waiting.length > 0;
  }

  async #work(): Promise<void> {
    while (await this.#turn()) {
      const next = this.#waiting.pop();
      if (next === undefined) return;
      this.#begun += 1;
      try {
        const isCut = await this.#recycle(next.loan, next.tries);
        if (!isCut) this.#begun -= 1;
      } catch (error) {
        this.#failure ??= error;
      }
    }
  }

  /** In its time, and while it may go on; false: it is over. */
  async #turn(): Promise<boolean> {
    const { clock, random, pace, signal } = this.parts;
    do {
      // First, or all who waited would go at once.
      while (this.#mayGoOn && this.#mustWait()) await this.#pause(WAIT, signal);
      if (!this.#mayGoOn) return false;
      const now = clock.monotonic();
      const at = Math.max(now, this.#nextAt);
      this.#nextAt = at + (1000 / pace(this.name.backend)) * (0.9 + 0.2 * random());
      await this.#pause(at - now, signal);
    } while (this.#mayGoOn && this.#mustWait());
    return this.#mayGoOn;
  }

  #mustWait(): boolean {
    const now = this.parts.backendNow(this.name.backend);
    if (typeof now === 'object') this.#why ??= now.why;
    const isTrial = [FIRST, TRIAL].some((size) => this.#begun >= size && this.#judgements < size);
    return now === 'unsure' || isTrial;
  }

  /** False: nobody was cut. */
  async #recycle(loan: Loan, tries: number): Promise<boolean> {
    const { read, cut, close, note, clock, signal } = this.parts;
    const session = await read(loan.session);
    const result = session === undefined ? 'gone' : whatBecame(session, loan);
    if (session === undefined || result !== undefined) {
      await note(loan, result ?? 'gone');
      return false;
    }
    const at = clock.now();
    const ended = await cut(session, signal);
    if (ended.kind === 'cut') {
      await close(session);
      await note(loan, 'recycled');
      this.#cut += 1;
      this.#out.push({ loan, viewer: viewerOf(session), at });
      return true;
    }
    if (signal.aborted) return false;
    if (ended.kind === 'failed' && ended.retry && tries + 1 < TRIES)
      this.#waiting.unshift({ loan, tries: tries + 1 });
    else await note(loan, ended.kind === 'gone' ? 'gone' : 'not-checkable');
    return false;
  }

  /** Until everybody who was cut is judged. */
  async #watch(): Promise<void> {
    const { signal } = this.parts;
    while (!signal.aborted && this.#failure === undefined && (this.#working || this.#out.length > 0)) {
      await this.#pause(this.#working && this.#out.length === 0 ? WAIT : LOOK_EVERY, signal);
      try {
        for (const cut of this.#out.slice()) await this.#judge(cut);
      } catch (error) {
        this.#failure ??= error;
      }
    }
  }

  async #judge(cut: Cut): Promise<void> {
    const { clock, returned, note } = this.parts;
    const found = await returned(cut.viewer, cut.at);
    if (found === undefined && clock.now() - cut.at < RETURNS_WITHIN) return;
    if (found !== undefined) await note(cut.loan, found);
    this.#out = this.#out.filter((one) => one !== cut);
    this.#count(found !== 'came-back');
  }

  #count(isLost: boolean): void {
    this.#judgements += 1;
    if (isLost) this.#lost += 1;
    this.#judged.push(isLost);
    if (this.#judged.length > TRIAL) this.#judged.shift();
    const lost = this.#judged.filter(Boolean).length;
    const most = this.#judgements <= FIRST ? MOST_OF_FIRST : MOST_LOST;
    if (lost > most) this.#why ??= `${lost} of the last ${this.#judged.length} did not play again`;
  }
}

function viewerOf({ backend, viewerKey, ip, channel }: Session): Viewer {
  return { backend, viewerKey, ip, channel: readable(channel) };
}

/** Undefined: he plays on trust still. */
function whatBecame(session: Session, loan: Loan): OutageResult | undefined {
  if (session.fingerprint !== loan.fingerprint || session.state === 'revoked') return 'gone';
  if (session.state === 'on-trust') return undefined;
  return session.state === 'active' ? 'kept' : 'not-checkable';
}
