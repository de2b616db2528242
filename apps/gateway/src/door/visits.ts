import { cacheBounds } from '#usher/decisions';
import type { EdgeFacts } from '#usher/dialects';
import { digest, type Clock } from '#usher/domain';
import type { ShownBefore, VisitStore } from '#usher/sessions';
import { LRUCache } from 'lru-cache';

/** Viewers behind one address, with one player and on one channel, whose credentials are told apart. */
const MOST_BEHIND_ONE = 4;

/** What one viewer at one place showed, and those who cannot be told from him. */
export interface Visit {
  readonly key: string;
  /** How long after it was seen it is gone, ms. */
  readonly life: number;
  /** The newest first. */
  shown: readonly ShownBefore[];
  /** Monotonic, ms. */
  seenAt: number;
  /** When Redis has to hear of it again: monotonic, ms. */
  renewAt: number;
}

/**
 * Where a player shows its token with the playlist only, its segments go on with the session that the token opened. What was
 * shown is remembered here, bounded, and in Redis for the other gateways.
 */
export class Visits {
  private readonly visits: LRUCache<string, Visit>;

  constructor(
    private readonly clock: Clock,
    private readonly store: Pick<VisitStore, 'find' | 'keep'>,
    entries: number,
  ) {
    this.visits = new LRUCache(cacheBounds(entries, ({ shown }, key) => key.length + wordsOf(shown)));
  }

  /** Names a visit; undefined where each request shows what it needs. */
  static keyOf(edge: string, { visit, channel, place = '' }: EdgeFacts): string | undefined {
    return visit === undefined ? undefined : digest('visit', edge, visit.who, channel, place);
  }

  /** These credentials were let in. `life`: ms. */
  note(key: string, { query, token, authorization }: ShownBefore, life: number): Visit {
    const now = this.clock.monotonic();
    const found = this.visits.get(key);
    const before = found !== undefined && this.isAlive(found) ? found : undefined;
    const mine: ShownBefore = { query, token, authorization };
    const others = (before?.shown ?? []).filter((one) => !isSame(one, mine));
    const shown = [mine, ...others].slice(0, MOST_BEHIND_ONE);
    const visit = before ?? { key, life, shown, seenAt: now, renewAt: 0 };
    const isNews = before === undefined || !isSame(before.shown[0], mine);
    visit.shown = shown;
    visit.seenAt = now;
    // Its size may be another one.
    this.visits.set(key, visit);
    if (isNews) this.tell(visit);
    return visit;
  }

  /** It was asked about once more, and let in. */
  touch(visit: Visit): void {
    visit.seenAt = this.clock.monotonic();
    if (visit.seenAt >= visit.renewAt) this.tell(visit);
  }

  /** It goes on: somebody asked about it within its life. */
  isAlive({ seenAt, life }: Visit): boolean {
    return seenAt + life > this.clock.monotonic();
  }

  /** What this gateway knows of it. */
  here(key: string): readonly ShownBefore[] {
    const visit = this.visits.get(key);
    return visit !== undefined && this.isAlive(visit) ? visit.shown : [];
  }

  /** What another gateway knows of it. Never rejects: while Redis is away nothing is known. */
  async elsewhere(key: string): Promise<readonly ShownBefore[]> {
    const found = await this.store.find(key).catch(() => undefined);
    return found === undefined ? [] : [found];
  }

  /** They are refused by now. */
  forget(key: string, refused: ShownBefore): void {
    const visit = this.visits.get(key);
    if (visit === undefined) return;
    visit.shown = visit.shown.filter((one) => !isSame(one, refused));
    if (visit.shown.length === 0) this.visits.delete(key);
  }

  get size(): number {
    return this.visits.size;
  }

  /** Not waited for, and said again in half of its life. */
  private tell(visit: Visit): void {
    visit.renewAt = this.clock.monotonic() + visit.life / 2;
    const [newest] = visit.shown;
    if (newest !== undefined) this.store.keep(visit.key, newest, visit.life * 1.5).catch(() => undefined);
  }
}

const isSame = (a: ShownBefore | undefined, b: ShownBefore): boolean =>
  a?.query === b.query && a.token === b.token && a.authorization === b.authorization;

const wordsOf = (shown: readonly ShownBefore[]): number =>
  shown.reduce(
    (sum, { query, token, authorization }) =>
      sum + query.length + (token?.length ?? 0) + (authorization?.length ?? 0),
    0,
  );
