import type { BackendAnswer, Question } from '#usher/domain';
import type { ClusterNode } from '#usher/node';

/** Beyond the call's own time a worker that took it is given so long, ms. */
const BEYOND_CALL = 5_000;
const CHECK = 'check';

export type AskingNode = Pick<
  ClusterNode,
  'membership' | 'bus' | 'questions' | 'backends' | 'config' | 'settle'
>;

/** Behind everybody else, through the workers; where none lives, by itself. Undefined: nobody took it. */
export async function askLast(node: AskingNode, asked: Question): Promise<BackendAnswer | undefined> {
  const question: Question = { ...asked, last: true };
  const { membership, bus, questions, backends, config, settle } = node;
  const lane = question.target;
  if (!membership.hasWorker(CHECK, lane)) {
    const answer = await backends.ask(question);
    settle(question.check, question.identity, answer, question);
    return answer;
  }
  const timeout = config.backends[lane]?.timeout ?? 0;
  return new Promise((resolve) => {
    const options = {
      lane,
      low: true,
      deadlineAt: question.deadline,
      replyWithinMs: timeout + BEYOND_CALL,
      waitWhileFull: true,
    };
    bus.ask(CHECK, questions.encode(question), options, (outcome) =>
      resolve(outcome.kind === 'answered' ? (outcome.data as BackendAnswer) : undefined),
    );
  });
}
