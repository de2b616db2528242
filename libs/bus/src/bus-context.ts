import { BaseRpcContext } from '@nestjs/microservices';
import type { Metadata } from './envelope.js';

type Arguments = [
  pattern: string,
  lane: string,
  deadline: number,
  from: string,
  metadata: Metadata | undefined,
];

/** What a handler may know of its message: `handle(@Payload() data, @Ctx() context: BusContext)`. */
export class BusContext extends BaseRpcContext<Arguments> {
  getPattern(): string {
    return this.args[0];
  }

  /** Empty for an event. */
  getLane(): string {
    return this.args[1];
  }

  /** Nobody waits for the reply after it; ms in the bus' time. Infinity for an event. */
  getDeadline(): number {
    return this.args[2];
  }

  /** The id of the process that asked or emitted. */
  getSender(): string {
    return this.args[3];
  }

  /** What the sender's dispatch hook attached: a trace id, for example. */
  getMetadata(): Metadata | undefined {
    return this.args[4];
  }
}
