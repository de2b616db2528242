import type { Outcome } from '#usher/bus';
import type { Asked, BackendAnswer, Question, QuestionBus } from '#usher/domain';
import type { ClusterNode } from '#usher/node';

/** A worker has taken the question by then, or the gateway asks itself, ms; after a quarter of a short time. */
const TAKEN_WITHIN = 150;
/** A worker that took it is given so long beyond the call's own time, ms. */
const BEYOND_CALL = 100;
/**
 * A worker that took it and is not heard of for so long is dead, or might as well be, ms: of a deadline of 2 s enough is
 * left for the direct rung, whenever in its first half second a worker dies.
 */
const HEARD_WITHIN = 600;

/** The pattern of checks on the bus; its lanes are backends and groups, so that one hung portal stalls nobody else. */
export const CHECK_PATTERN = 'check';

/** Asks the workers over the bus. */
export function questionBus(node: Pick<ClusterNode, 'bus' | 'config' | 'questions'>): QuestionBus {
  const { backends } = node.config;
  const mayWait = thoseThatWait(node);
  return {
    ask: (question: Question) =>
      new Promise<Asked>((resolve) => {
        const options = {
          lane: question.target,
          deadlineAt: question.deadline,
          takeWithinMs: takenWithin(question),
          heardWithinMs: HEARD_WITHIN,
          // While it waits in line its worker says so, and has the last word.
          ...(mayWait.has(question.target)
            ? {}
            : { replyWithinMs: (backends[question.target]?.timeout ?? 0) + BEYOND_CALL }),
          // What is only observed goes as it would without us: it waits for no worker's place.
          waitWhileFull: question.unguarded !== true,
        };
        node.bus.ask(CHECK_PATTERN, node.questions.encode(question), options, (outcome) =>
          resolve(asked(outcome)),
        );
      }),
  };
}

/** An edge in a hurry leaves time to ask directly, too. */
function takenWithin({ askedAt, deadline }: Question): number {
  return askedAt === undefined ? TAKEN_WITHIN : Math.min(TAKEN_WITHIN, (deadline - askedAt) / 4);
}

/**
 * Targets whose questions may wait at a worker before their call: for the pace, or for a place where several lanes share
 * them. Asked directly meanwhile they would be asked twice, and a one-shot token be spent.
 */
function thoseThatWait({ config }: Pick<ClusterNode, 'config'>): ReadonlySet<string> {
  const grouped = Object.values(config.groups).flatMap(({ backends }) => backends);
  const paced = Object.entries(config.backends).flatMap(([name, { pace }]) =>
    pace === undefined ? [] : [name],
  );
  return new Set([...Object.keys(config.groups), ...grouped, ...paced]);
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
