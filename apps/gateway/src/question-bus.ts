import { MAX_WAIT } from '#usher/backends';
import type { Outcome } from '#usher/bus';
import type { Asked, BackendAnswer, Question, QuestionBus } from '#usher/domain';
import type { ClusterNode } from '#usher/node';

/** A worker has taken the question by then, or the gateway asks itself, ms. */
const TAKEN_WITHIN = 150;
/** A worker that took it is given so long beyond the call's own time, ms. */
const BEYOND_CALL = 100;

/** The pattern of checks on the bus; its lanes are backends and groups, so that one hung portal stalls nobody else. */
export const CHECK_PATTERN = 'check';

/** Asks the workers over the bus. */
export function questionBus(node: Pick<ClusterNode, 'bus' | 'config' | 'questions'>): QuestionBus {
  const timeouts = callTimeouts(node);
  const waits = waitsOf(node);
  return {
    ask: (question: Question) =>
      new Promise<Asked>((resolve) => {
        const options = {
          lane: question.target,
          deadlineAt: question.deadline,
          takeWithinMs: TAKEN_WITHIN,
          replyWithinMs:
            (timeouts.get(question.target) ?? 0) + (waits.get(question.target) ?? 0) + BEYOND_CALL,
          // What is only observed goes as it would without us: it waits for no worker's place.
          waitWhileFull: question.unguarded !== true,
        };
        node.bus.ask(CHECK_PATTERN, node.questions.encode(question), options, (outcome) =>
          resolve(asked(outcome)),
        );
      }),
  };
}

/** The longest that a call to a target takes, ms: of a group whose members are asked in order, all of them. */
function callTimeouts({ config }: Pick<ClusterNode, 'config'>): ReadonlyMap<string, number> {
  const timeouts = new Map(Object.entries(config.backends).map(([name, { timeout }]) => [name, timeout]));
  for (const [name, { backends, policy }] of Object.entries(config.groups)) {
    const members = backends.map((member) => config.backends[member]?.timeout ?? 0);
    timeouts.set(name, policy === 'first' ? members.reduce((a, b) => a + b, 0) : Math.max(...members));
  }
  return timeouts;
}

/**
 * How long a question may wait at a worker before its call, ms: for the pace, or for a place where several lanes share
 * them. Asked directly meanwhile it would be asked twice, and a one-shot token be spent.
 */
function waitsOf({ config }: Pick<ClusterNode, 'config'>): ReadonlyMap<string, number> {
  const grouped = new Set(Object.values(config.groups).flatMap(({ backends }) => backends));
  const mayWait = (name: string): boolean => grouped.has(name) || config.backends[name]?.pace !== undefined;
  const waits = new Map(Object.keys(config.backends).map((name) => [name, mayWait(name) ? MAX_WAIT : 0]));
  for (const name of Object.keys(config.groups)) waits.set(name, MAX_WAIT);
  return waits;
}

function asked(outcome: Outcome): Asked {
  switch (outcome.kind) {
    case 'answered':
      // Sent by a worker of ours; what another version adds is kept.
      return { kind: 'answered', answer: outcome.data as BackendAnswer };
    case 'not-taken':
      return { kind: 'not-taken' };
    // A worker that broke over a question has not answered it.
    case 'failed':
    case 'silent':
      return { kind: 'silent' };
    case 'full':
      return { kind: 'full' };
    case 'away':
      return { kind: 'bus-away' };
  }
}
