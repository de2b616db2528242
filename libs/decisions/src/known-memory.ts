import type { Clock, KnownGrant, KnownViewer, KnownViewers } from '#usher/domain';
import { LRUCache } from 'lru-cache';

/** A grant as it is offered back; of the fingerprint the part that is kept. */
export interface RememberedGrant extends KnownGrant {
  readonly backend: string;
  readonly viewerKey: string;
  readonly fingerprint: string;
}

/** So many grants of one viewer are remembered: the newest. */
const MAX_GRANTS = 8;

/**
 * Known viewers: in this process first, then across the cluster. Bounded; a viewer is known for `knownFor` after the
 * last allow. It may bring back what a backend granted, and never overrides a denial.
 */
export class KnownMemory implements KnownViewers {
  private readonly local: LRUCache<string, KnownViewer>;

  constructor(
    private readonly clock: Clock,
    private readonly cluster: KnownViewers,
    private readonly knownFor: number,
    entries: number,
  ) {
    this.local = new LRUCache({ max: entries });
  }

  /** From memory only. */
  here(backend: string, viewerKey: string): KnownViewer | undefined {
    const viewer = this.local.get(`${backend}/${viewerKey}`);
    return viewer !== undefined && this.isCurrent(viewer) ? viewer : undefined;
  }

  isKnown(backend: string, viewerKey: string): boolean {
    return this.here(backend, viewerKey) !== undefined;
  }

  /** Rejects when the viewer is not in memory and Redis is away or late. */
  async find(backend: string, viewerKey: string): Promise<KnownViewer | undefined> {
    const here = this.here(backend, viewerKey);
    if (here !== undefined) return here;
    const there = await this.cluster.find(backend, viewerKey);
    if (there === undefined || !this.isCurrent(there)) return undefined;
    this.local.set(`${backend}/${viewerKey}`, there);
    return there;
  }

  /** Remembers in this process only: another one told the cluster. */
  rememberHere(backend: string, viewerKey: string, fingerprint: string, grant: KnownGrant): void {
    const name = `${backend}/${viewerKey}`;
    const grants = new Map(this.local.get(name)?.grants);
    grants.delete(grantName(fingerprint));
    grants.set(grantName(fingerprint), grant.authorizedUntil);
    for (const oldest of grants.keys()) {
      if (grants.size <= MAX_GRANTS) break;
      grants.delete(oldest);
    }
    const { user, sessionName } = grant;
    this.local.set(name, { user, sessionName, allowedAt: this.clock.now(), grants });
  }

  async remember(backend: string, viewerKey: string, fingerprint: string, grant: KnownGrant): Promise<void> {
    this.rememberHere(backend, viewerKey, fingerprint, grant);
    await this.cluster.remember(backend, viewerKey, fingerprint, grant);
  }

  /** Forgets viewers in this process, and says whom: another one, or Redis, may remember them still. */
  forget(
    isMeant: (backend: string, user: string) => boolean,
  ): { readonly backend: string; readonly viewerKey: string; readonly user: string }[] {
    const forgotten = [];
    for (const [name, { user }] of Array.from(this.local.entries())) {
      const [backend = '', viewerKey = ''] = name.split('/');
      if (!isMeant(backend, user)) continue;
      this.local.delete(name);
      forgotten.push({ backend, viewerKey, user });
    }
    return forgotten;
  }

  /** Forgets one viewer as this user, in this process, unless he was allowed after `at` (cluster time, ms). */
  forgetViewer(backend: string, viewerKey: string, user: string, at: number): void {
    const name = `${backend}/${viewerKey}`;
    const viewer = this.local.peek(name);
    if (viewer?.user === user && viewer.allowedAt <= at) this.local.delete(name);
  }

  /**
   * Every grant that is remembered here, for a Redis that came back empty; with `allowedSince` (cluster time, ms) only
   * those of viewers allowed since: Redis takes an offer for an allow of now, and nobody may stay known by that alone.
   */
  *grants(allowedSince = 0): Generator<RememberedGrant> {
    // A copy: the list is walked for minutes, and changes under way.
    for (const [name, viewer] of Array.from(this.local.entries())) {
      if (viewer.allowedAt < allowedSince) continue;
      const [backend = '', viewerKey = ''] = name.split('/');
      const { user, sessionName } = viewer;
      for (const [fingerprint, authorizedUntil] of viewer.grants) {
        if (this.isCurrent(viewer))
          yield { backend, viewerKey, fingerprint, user, sessionName, authorizedUntil };
      }
    }
  }

  get size(): number {
    return this.local.size;
  }

  private isCurrent(viewer: KnownViewer): boolean {
    return this.clock.now() - viewer.allowedAt < this.knownFor;
  }
}

/** Grants are named by the first 16 characters (80 bits) of their fingerprint: short in Redis, unguessable enough. */
export function grantName(fingerprint: string): string {
  return fingerprint.slice(0, 16);
}

/** This very credential was allowed, and its time still runs. */
export function isGranted(viewer: KnownViewer, fingerprint: string, now: number): boolean {
  const until = viewer.grants.get(grantName(fingerprint));
  return until !== undefined && (until === 0 || until > now);
}
