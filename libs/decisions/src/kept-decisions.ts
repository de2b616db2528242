import { NO_HOLDS } from '#usher/domain';
import type { Clock, Decision, Holds, Session, Source } from '#usher/domain';
import { LRUCache } from 'lru-cache';
import { cacheBounds } from './cache-bounds.js';
import type { SessionLife } from './session-life.js';
import { wasAllowed } from './standing.js';

/** A decision that this process keeps for one session and one fingerprint. */
export interface Kept {
  readonly name: string;
  readonly fingerprint: string;
  /** As it is answered from here: source `cache`. */
  readonly decision: Decision;
  /** An allow's session: what is offered back to a Redis that returns empty. */
  readonly session: Session | undefined;
  /** No decision but what stood in for one: dropped when the backend can be asked again. */
  readonly standIn: boolean;
  /** Monotonic, ms; 0 once it was dropped. */
  until: number;
  /** Of `KeptDecisions.generation`: an older one is checked once against the registry. */
  generation: number;
  /** `KeptDecisions.version` when it was looked at: after a change it is looked at again. */
  version: number;
  /** How often it was asked about since the last flush: signs of life. */
  checks: number;
  /** Among what the next flush tells of. */
  isNoted?: boolean;
  /** Cluster time, ms: until when its last sign of life that was taken lets it live. */
  aliveUntil?: number;
  /** Its session went idle: it counts for nobody who watches. */
  isIdle?: boolean;
}

/** A session that was asked about. */
export interface Seen {
  readonly session: Session;
  readonly checks: number;
  /** Cluster time, ms. */
  readonly aliveUntil: number;
}

/** Sessions by what they rest on: a decision, or what stood in for one. Never summed: only `onTrust` are free. */
export interface KeptCounts {
  decided: number;
  carried: number;
  known: number;
  onTrust: number;
}

/** Sessions that ended lately are remembered for the checks that are under way. */
const MOST_ENDED = 10_000;
/** Of no generation: it is checked against the registry at its next use. */
export const UNCHECKED = -1;

const NONE: Readonly<KeptCounts> = { decided: 0, carried: 0, known: 0, onTrust: 0 };
const STANDINGS: Readonly<Partial<Record<Source, keyof KeptCounts>>> = {
  stale: 'carried',
  known: 'known',
  'fail-open': 'onTrust',
  overload: 'onTrust',
};

/** One string for a session's name; a session id may hold anything but is the last part. */
export const keptName = (edge: string, sessionId: string): string => `${edge}/${sessionId}`;

/**
 * What this process keeps of sessions: bounded, and found by name. `until` and `generation` are public numbers, so
 * that a cached check costs two comparisons.
 */
export class KeptDecisions {
  /** Raised after a gap in the control stream: each entry is checked once at its next use. */
  generation = 0;
  /** How many sessions were told to be over. */
  endings = 0;
  private readonly counted = new Map<string, KeptCounts>();
  private readonly byName: LRUCache<string, Kept>;
  private readonly ended = new LRUCache<string, number>({ max: MOST_ENDED });
  private seen: Kept[] = [];
  private refreshes = 0;

  constructor(
    private readonly clock: Clock,
    entries: number,
    private readonly holds: Pick<Holds, 'version'> = NO_HOLDS,
  ) {
    this.byName = new LRUCache({
      ...cacheBounds(entries, wordsOf),
      dispose: (kept) => this.forget(kept),
    });
  }

  /** Another number after each change of holds, and after each refresh of a user. */
  get version(): number {
    return this.holds.version + this.refreshes;
  }

  /** Keeps a decision; what was kept under its name is no longer answered. */
  keep(kept: Kept): void {
    this.byName.set(kept.name, kept);
    if (kept.isIdle !== true) this.count(kept, 1);
  }

  /** The kept decision, though its time may be up; undefined where the fingerprint is another's. */
  find(name: string, fingerprint: string): Kept | undefined {
    const kept = this.byName.get(name);
    return kept !== undefined && kept.fingerprint === fingerprint ? kept : undefined;
  }

  /** It may be answered as it is, without asking anybody, and without a further look. */
  isFresh(kept: Kept): boolean {
    return this.isCurrent(kept) && kept.version === this.version;
  }

  /** It may be answered without asking anybody, unless a hold that is new says otherwise. */
  isCurrent(kept: Kept): boolean {
    return kept.until > this.clock.monotonic() && kept.generation === this.generation;
  }

  /** Notes a sign of life. Allocates at most once between two flushes. */
  note(kept: Kept): void {
    if (kept.session === undefined) return;
    if (kept.isNoted !== true) this.noteKept(kept);
    kept.checks += 1;
  }

  /** It is told of with the next flush though nobody asks about it again: a registry that lacks it says so. */
  noteKept(kept: Kept): void {
    kept.isNoted = true;
    this.seen.push(kept);
  }

  /** The sessions seen since the last call, how often, and until when each lives by that. */
  takeSeen({ lifeOf }: SessionLife): readonly Seen[] {
    const now = this.clock.now();
    const taken = this.seen.map((kept) => {
      const { checks } = kept;
      const session = kept.session!;
      const aliveUntil = now + lifeOf(session.edge, session.presence);
      kept.checks = 0;
      kept.isNoted = false;
      kept.aliveUntil = aliveUntil;
      return { session, checks, aliveUntil };
    });
    this.seen = [];
    return taken;
  }

  drop(name: string): void {
    this.byName.delete(name);
  }

  /**
   * The outage is over: what stood in for this backend's decisions is asked about at its next use. Who was only carried
   * through it is remembered as allowed once, or a one-shot token would cut him now.
   */
  dropStandIns(backend: string): void {
    const standIns = [...this.byName.values()].filter(
      ({ standIn, decision }) => standIn && decision.backend === backend,
    );
    for (const kept of standIns) {
      const { name, session, decision } = kept;
      if (session === undefined || decision.source !== 'stale') this.drop(name);
      else {
        const carried: Session = { ...session, state: 'unconfirmed', source: 'session' };
        this.keep({ ...kept, session: carried, standIn: false, until: 0 });
      }
    }
  }

  /**
   * Of these sessions what may be asked again is asked at its next use; until an answer comes each is remembered as
   * allowed once, so that an outage cuts nobody. What stood in is dropped. Denials, which are kept by their requests
   * alone, are all asked again: they name nobody.
   */
  refresh(isMeant: (session: Session) => boolean, isReusable: (backend: string) => boolean): void {
    for (const kept of Array.from(this.byName.values())) {
      const { name, session, decision } = kept;
      if (session === undefined || decision.hold !== undefined || !isMeant(session)) continue;
      if (!wasAllowed(session)) this.drop(name);
      else if (kept.standIn || isReusable(session.backend)) {
        const asked: Session = { ...session, state: 'unconfirmed', source: 'session' };
        this.keep({ ...kept, session: asked, standIn: false, until: 0 });
      }
    }
    this.refreshes += 1;
  }

  /** The session is over. */
  dropNamed(edge: string, sessionId: string): void {
    const name = keptName(edge, sessionId);
    this.drop(name);
    this.endings += 1;
    this.ended.set(name, this.endings);
  }

  /**
   * Nobody asked about the session for its life. That refuses nobody: what was decided stands for whoever comes back, and
   * is checked against the registry first.
   */
  idled(edge: string, sessionId: string): void {
    const kept = this.byName.peek(keptName(edge, sessionId));
    if (kept === undefined || kept.isIdle === true) return;
    this.count(kept, -1);
    kept.isIdle = true;
    kept.generation = UNCHECKED;
  }

  /** What was found out about a session of this name since then (`endings`) may be of one that is over. */
  hasEnded(name: string, since: number): boolean {
    return (this.ended.get(name) ?? 0) > since;
  }

  /** The session that is kept under a name, if it is still answered from here. */
  sessionNamed(edge: string, sessionId: string): Session | undefined {
    const kept = this.byName.peek(keptName(edge, sessionId));
    return kept !== undefined && kept.until > this.clock.monotonic() ? kept.session : undefined;
  }

  /**
   * The sessions that still hold here, for healing, each alive by its last sign; with `openedSince` (cluster time, ms) only
   * the newer ones.
   */
  *sessions(openedSince = 0): Generator<Session> {
    // A copy: the list is walked for minutes, and changes under way.
    for (const { session, until, aliveUntil = 0 } of Array.from(this.byName.values())) {
      if (session === undefined || session.openedAt < openedSince) continue;
      if (until <= this.clock.monotonic()) continue;
      yield aliveUntil > session.aliveUntil ? { ...session, aliveUntil } : session;
    }
  }

  get size(): number {
    return this.byName.size;
  }

  /** How many sessions rest on what, by backend ('' where none was asked). */
  get counts(): ReadonlyMap<string, Readonly<KeptCounts>> {
    return this.counted;
  }

  /** Whoever still holds it, the memory of requests for one, answers no more from it. */
  private forget(kept: Kept): void {
    kept.until = 0;
    if (kept.isIdle !== true) this.count(kept, -1);
  }

  private count({ session }: Kept, by: 1 | -1): void {
    if (session === undefined) return;
    let counts = this.counted.get(session.backend);
    if (counts === undefined) this.counted.set(session.backend, (counts = { ...NONE }));
    counts[STANDINGS[session.source] ?? 'decided'] += by;
  }
}

/** Characters of what came over the wire. */
function wordsOf({ name, session }: Kept): number {
  if (session === undefined) return name.length;
  const { channel, path, host, userAgent } = session;
  return name.length + channel.length + path.length + host.length + userAgent.length;
}
