import type {
  BackendAnswer,
  BackendPort,
  BreakerGate,
  Clock,
  Question,
  QuestionBus,
  Switches,
  UnavailableAnswer,
} from '#usher/domain';
import type { CheckContext } from './check-context.js';
import type { KnownMemory } from './known-memory.js';
import { switchedMembers } from './switched.js';

/** Of the deadline so much is kept for what stands in for an answer that does not come, ms; a quarter at most. */
const ASKING_MARGIN = 75;
/** With less time nobody is asked once more, ms. */
const HARDLY_ANY = 25;

/** Who was asked, and what was said. */
export interface Asking {
  readonly answer: BackendAnswer;
  readonly source: 'backend' | 'direct';
  /** `KeptDecisions.version` when it was asked. */
  readonly version?: number;
}

/** What the breaker gives a question on its way. */
type Pass = Pick<Question, 'probes' | 'skip' | 'unguarded'>;

/** The rungs that ask: the workers over the bus; where nobody takes the question, the backend itself. */
export class Asker {
  constructor(
    private readonly clock: Clock,
    private readonly breakers: BreakerGate,
    private readonly bus: QuestionBus,
    private readonly direct: BackendPort,
    private readonly known: KnownMemory,
    private readonly switches: Switches,
  ) {}

  /** Asks unless the breaker keeps the question back: then it is unavailable at once, because of the backend. */
  async ask(context: CheckContext, target: string): Promise<Asking> {
    const { viewerKey } = context.identity;
    // Who was allowed already needs nobody's favour, and a one-shot token refused again says nothing of its backend.
    const isNew = context.previous === undefined;
    const known = isNew && context.route.backends.some((backend) => this.known.isKnown(backend, viewerKey));
    let pass: Pass = {};
    const without = switchedMembers(this.switches, context.route);
    if (without.length > 0 || !this.breakers.isClosed(target)) {
      const admission = await this.breakers.admit(target, known, without);
      if (admission.kind === 'outage') return { answer: suspended(target), source: 'backend' };
      pass = { probes: admission.probes, skip: admission.skip };
    }
    return this.askUnguarded(context, target, known, pass);
  }

  /** Asks whatever the breaker says: for mode observe, which changes nothing. */
  async askUnguarded(
    context: CheckContext,
    target: string,
    known = false,
    pass: Pass = { unguarded: true },
  ): Promise<Asking> {
    const { check, identity, unopened } = context;
    const untilDeadline = context.deadline - this.clock.monotonic();
    const left = untilDeadline - Math.min(ASKING_MARGIN, untilDeadline / 4);
    const askedAt = this.clock.now();
    const deadline = askedAt + left;
    // `closed` lets a known viewer in with the very credential that was allowed, and with no other.
    const { previous, route } = context;
    const playsAnyway = previous !== undefined || (known && route.failMode.kind !== 'closed');
    const about = { check, identity, target, known, playsAnyway, unopened };
    const question: Question = { ...about, deadline, askedAt, ...pass };
    const asked = await this.bus.ask(question);
    if (asked.kind === 'answered') return { answer: asked.answer, source: 'backend' };
    if (asked.kind === 'full') return { answer: overloaded(target), source: 'backend' };
    // A worker has it, whose call goes on: asked again, a token that is good once would be spent.
    if (asked.kind === 'silent' && deadline - this.clock.now() < HARDLY_ANY) {
      return { answer: tooSlow(target), source: 'backend' };
    }
    return { answer: await this.direct.ask(question), source: 'direct' };
  }
}

/** The check waits for less time than the call may take: its late answer settles the session. */
export function tooSlow(target: string): UnavailableAnswer {
  return {
    kind: 'unavailable',
    backend: target,
    because: 'backend',
    reason: 'backend-timeout',
    detail: `${target} had not answered by the deadline of the check; the call goes on`,
    tookMs: 0,
  };
}

function suspended(target: string): UnavailableAnswer {
  return {
    kind: 'unavailable',
    backend: target,
    because: 'backend',
    reason: 'backend-suspended',
    detail: `${target} is suspended after failures`,
    tookMs: 0,
  };
}

function overloaded(target: string): UnavailableAnswer {
  return {
    kind: 'unavailable',
    backend: target,
    because: 'us',
    reason: 'bulkhead-full',
    detail: 'all workers are full',
    tookMs: 0,
  };
}
