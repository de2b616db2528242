import type { BackendAnswer, Clock, Decision, SessionRegistry } from '#usher/domain';
import type { Asker, Asking } from './asking.js';
import type { CheckContext, Settled } from './check-context.js';
import type { SessionLife } from './session-life.js';
import { sessionOfAllow } from './session-of.js';
import type { TraitsByBackend } from './traits.js';

/**
 * Mode observe: the backend's own answer goes to the edge unchanged, its failure as a failure, so that the edge does
 * what it did before Usher. No cache, no single flight, no limit, no breaker's word; everything is recorded.
 */
export class ObserveMode {
  constructor(
    private readonly clock: Clock,
    private readonly asker: Asker,
    private readonly registry: SessionRegistry,
    private readonly backends: TraitsByBackend,
    private readonly life: SessionLife,
  ) {}

  /** Never rejects. */
  async decide(context: CheckContext, target: string): Promise<Settled> {
    const { answer, source } = await this.asker
      .askUnguarded(context, target)
      .catch((error: unknown) => broken(target, error));
    if (answer.kind === 'allow' && source === 'direct') {
      const { check, identity, habit } = context;
      const now = this.clock.now();
      const session = sessionOfAllow(check, identity, answer, source, habit, this.backends, this.life, now);
      this.registry.open(session).catch(() => undefined);
    }
    return { decision: verbatim(answer, source), answer };
  }
}

/** A fault of ours is no answer: the edge does what it does where nobody is there. */
function broken(target: string, error: unknown): Asking {
  const detail = error instanceof Error ? error.message : 'unknown';
  const answer = { kind: 'unavailable', because: 'us', reason: 'internal', backend: target, detail } as const;
  return { answer: { ...answer, tookMs: 0 }, source: 'direct' };
}

function verbatim(answer: BackendAnswer, source: 'backend' | 'direct'): Decision {
  const { backend, reason, status, tookMs } = answer;
  const said = { source, backend, reason, status, tookMs, verbatim: true };
  switch (answer.kind) {
    case 'allow':
      return {
        ...said,
        allow: true,
        user: answer.user,
        sessionName: answer.sessionName,
        maxSessions: answer.maxSessions,
        unique: answer.unique,
        redirect: answer.redirect,
      };
    case 'deny':
      return { ...said, allow: false, redirect: answer.redirect };
    case 'unavailable':
      return { ...said, allow: false, because: answer.because, silent: status === undefined };
  }
}
