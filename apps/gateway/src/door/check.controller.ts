import type { IncomingMessage, ServerResponse } from 'node:http';
import { All, Controller, Inject, Req, Res } from '@nestjs/common';
import { CheckDoor } from './check-door.js';

/** What we need of Fastify's request and reply: the raw ones. */
interface RawRequest {
  readonly raw: IncomingMessage;
  readonly body?: Buffer;
}
interface RawReply {
  readonly raw: ServerResponse;
  hijack(): void;
}

/** Every path is an edge's: `/e/<edge>/check`, `/e/<edge>/closed`, and any other one as Cesbo's auth-proxy has it. */
@Controller()
export class CheckController {
  constructor(@Inject(CheckDoor) private readonly door: CheckDoor) {}

  @All('*')
  async answer(@Req() request: RawRequest, @Res() reply: RawReply): Promise<void> {
    // The door writes statuses, headers and nothing else to the letter; Fastify adds none of its own.
    reply.hijack();
    await this.door.answer(request.raw, reply.raw, request.body);
  }
}
