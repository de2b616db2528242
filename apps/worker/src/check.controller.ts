import type { BackendAnswer, Question } from '#usher/domain';
import type { ClusterNode } from '#usher/node';
import { ThrottledLog } from '#usher/observe';
import { Controller, Inject } from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';

/** The node's parts that a worker's answers come from. */
export const NODE = Symbol('node');

/** One question from a gateway: at most one worker gets it. */
@Controller()
export class CheckController {
  private readonly strangers: ThrottledLog;

  constructor(@Inject(NODE) private readonly node: ClusterNode) {
    this.strangers = new ThrottledLog(node.log, node.clock);
  }

  /** Asks the backend; the session is opened as soon as the reply has left: it is the reply that a viewer waits for. */
  @MessagePattern('check')
  async answer(@Payload() sealed: unknown): Promise<BackendAnswer> {
    const question = this.node.questions.decode(sealed);
    if (question === undefined) {
      const why = 'a gateway’s question cannot be opened: `secret` must be the same in all processes';
      this.strangers.warn('sealed', {}, why);
      throw new RpcException(why);
    }
    const answer = await this.node.backends.ask(question);
    setImmediate(() => this.settle(question, answer));
    return answer;
  }

  private settle(question: Question, answer: BackendAnswer): void {
    try {
      this.node.settle(question.check, question.identity, answer, question);
    } catch (error) {
      this.node.log.error({ error, id: question.check.id }, 'what an answer means could not be written down');
    }
  }
}
