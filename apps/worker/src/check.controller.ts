import type { BackendAnswer } from '#usher/domain';
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

  /** Asks the backend; the session is opened in the same round trip as the reply. */
  @MessagePattern('check')
  async answer(@Payload() sealed: unknown): Promise<BackendAnswer> {
    const question = this.node.questions.decode(sealed);
    if (question === undefined) {
      const why = 'a gateway’s question cannot be opened: `secret` must be the same in all processes';
      this.strangers.warn('sealed', {}, why);
      throw new RpcException(why);
    }
    const answer = await this.node.backends.ask(question);
    this.node.settle(question.check, question.identity, answer, question.unguarded);
    return answer;
  }
}
