import type {
  Clock,
  Decision,
  DenyAnswer,
  KnownViewer,
  OverloadPolicy,
  UnavailableAnswer,
} from '#usher/domain';
import type { CheckContext } from './check-context.js';
import { isGranted, type KnownMemory } from './known-memory.js';

/** Where operators end letting in on trust. */
export interface TrustEnd {
  /** By which limit it has ended for this backend; undefined: it has not. From memory. */
  trustEnded(backend: string): 'maxOutage' | 'failOpenBudget' | undefined;
}

const NO_END: TrustEnd = Object.freeze({ trustEnded: () => undefined });

/** What stands in for a decision that could not be had: stale, known, then the fail mode or the overload policy. */
export class StandIn {
  constructor(
    private readonly clock: Clock,
    private readonly known: KnownMemory,
    private readonly trust: TrustEnd = NO_END,
  ) {}

  /** The whole bottom of the ladder. Never rejects: a Redis that cannot be asked is a viewer not known. */
  async decide(context: CheckContext, unavailable: UnavailableAnswer): Promise<Decision> {
    const previous = this.previouslyAllowed(context, unavailable);
    if (previous !== undefined) return previous;
    for (const backend of context.route.backends) {
      const viewer = await this.viewerAt(backend, context.identity.viewerKey);
      const decision = viewer && this.rememberedAt(backend, viewer, context, unavailable);
      if (decision !== undefined) return decision;
    }
    return this.byPolicy(context, unavailable);
  }

  /** The same from this process's memory alone: for a check whose time is up. */
  decideNow(context: CheckContext, unavailable: UnavailableAnswer): Decision {
    const previous = this.previouslyAllowed(context, unavailable);
    if (previous !== undefined) return previous;
    for (const backend of context.route.backends) {
      const viewer = this.known.here(backend, context.identity.viewerKey);
      const decision = viewer && this.rememberedAt(backend, viewer, context, unavailable);
      if (decision !== undefined) return decision;
    }
    return this.byPolicy(context, unavailable);
  }

  /** A group's denial that does not hold for sessions and viewers that a member allowed which could not be asked. */
  async unlessKnown(
    context: CheckContext,
    { unlessKnownAt = [] }: DenyAnswer,
  ): Promise<Decision | undefined> {
    if (context.previous !== undefined && unlessKnownAt.includes(context.previous.backend)) {
      return this.previouslyAllowed(context, { because: 'backend' });
    }
    for (const backend of unlessKnownAt) {
      const viewer = await this.viewerAt(backend, context.identity.viewerKey);
      if (viewer !== undefined) return knownDecision(backend, viewer, 'backend');
    }
    return undefined;
  }

  /** A backend of the route allowed this viewer within `knownFor`. Never rejects. */
  async isKnown({ route, identity }: CheckContext): Promise<boolean> {
    for (const backend of route.backends) {
      if ((await this.viewerAt(backend, identity.viewerKey)) !== undefined) return true;
    }
    return false;
  }

  private async viewerAt(backend: string, viewerKey: string): Promise<KnownViewer | undefined> {
    try {
      return await this.known.find(backend, viewerKey);
    } catch {
      return undefined;
    }
  }

  /** This session was allowed, here or through another gateway: our clock never cuts a viewer. */
  private previouslyAllowed(
    context: CheckContext,
    { because }: Pick<UnavailableAnswer, 'because'>,
  ): Decision | undefined {
    const { previous } = context;
    if (previous === undefined || previous.state === 'revoked' || previous.state === 'on-trust')
      return undefined;
    return {
      allow: true,
      source: 'stale',
      reason: 'stale-grant',
      backend: previous.backend,
      user: previous.user || undefined,
      sessionName: previous.sessionName || undefined,
      because,
    };
  }

  private rememberedAt(
    backend: string,
    viewer: KnownViewer,
    context: CheckContext,
    { because }: UnavailableAnswer,
  ): Decision | undefined {
    if (isGranted(viewer, context.identity.fingerprint, this.clock.now())) {
      return { ...knownDecision(backend, viewer, because), source: 'stale', reason: 'stale-grant' };
    }
    // `closed` keeps only those whose very credential was allowed.
    return context.route.failMode.kind === 'closed' ? undefined : knownDecision(backend, viewer, because);
  }

  private byPolicy(context: CheckContext, unavailable: UnavailableAnswer): Decision {
    const backend = context.route.backends[0] ?? unavailable.backend;
    const { because, reason: why } = unavailable;
    if (because === 'us') {
      // With more time it would have been asked: such an edge would refuse whomever we are a moment late for.
      const isHurried = context.isHurried === true && why === 'deadline';
      const policy: OverloadPolicy =
        context.route.overload ?? (context.opensWhenAlone || isHurried ? 'as-fail-mode' : 'deny');
      const allow = policy === 'as-fail-mode' && opens(context);
      const reason = allow ? 'overload-trust' : 'overload-refused';
      return { allow, source: 'overload', reason, backend, because };
    }
    if (!opens(context))
      return { allow: false, source: 'fail-closed', reason: 'refused-unavailable', backend, because };
    return this.hasTrustEnded(context)
      ? { allow: false, source: 'fail-closed', reason: 'trust-ended', backend, because }
      : { allow: true, source: 'fail-open', reason: 'on-trust', backend, because };
  }

  /** Of a group only where it has ended for every member. Who is in on trust stays when a budget is spent. */
  private hasTrustEnded({ route: { backends }, onTrust, letIn }: CheckContext): boolean {
    if (letIn === true) return false;
    const limits = backends.map((backend) => this.trust.trustEnded(backend));
    if (limits.length === 0 || limits.includes(undefined)) return false;
    return onTrust !== true || limits.includes('maxOutage');
  }
}

function opens({ route: { failMode } }: CheckContext): boolean {
  return failMode.kind === 'open' || (failMode.kind === 'stale' && failMode.then === 'open');
}

function knownDecision(backend: string, viewer: KnownViewer, because: 'backend' | 'us'): Decision {
  return {
    allow: true,
    source: 'known',
    reason: 'known-viewer',
    backend,
    user: viewer.user || undefined,
    sessionName: viewer.sessionName || undefined,
    because,
  };
}
