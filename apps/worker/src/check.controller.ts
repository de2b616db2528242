import type { BackendAnswer } from '#usher/domain';
import type { ClusterNode } from '#usher/node';
import { Controller, Inject } from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';

/** The node's parts that a worker's answers come from. */
export const NODE = Symbol('node');

/** One question from a gateway: at most one worker gets it. */
@Controller()
export class CheckController {
  constructor(@Inject(NODE) private readonly node: Pick<ClusterNode, 'questions' | 'backends' | 'settle'>) {}

  /** Asks the backend; the session is opened in the same round trip as the reply. */
  @MessagePattern('check')
  async answer(@Payload() sealed: unknown): Promise<BackendAnswer> {
    const question = this.node.questions.decode(sealed);
    if (question === undefined) throw new RpcException('a question that none of our secrets opens');
    const answer = await this.node.backends.ask(question);
    this.node.settle(question.check, question.identity, answer);
    return answer;
  }
}
