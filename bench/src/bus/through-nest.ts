import 'reflect-metadata';
import { StreamClient, StreamServer } from '#usher/bus';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { message, type Message } from './drive.js';
import { SLOTS, type Kind } from './kind.js';

@Controller()
class EchoController {
  @MessagePattern('echo')
  echo(@Payload() data: Message): number {
    return data.id;
  }
}

@Module({ controllers: [EchoController] })
class EchoModule {}

/** libs/bus as any Nest application uses it: `@MessagePattern` and `send()`. */
export const throughNest: Kind = {
  async serve(connect) {
    const strategy = new StreamServer({ connect, lanes: { main: SLOTS } });
    const options: MicroserviceOptions & { logger: false } = { strategy, logger: false };
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(EchoModule, options);
    await app.listen();
  },

  async asker(connect) {
    const client = new StreamClient({ connect });
    await client.connect();
    let nextId = 1;
    return (done) => void client.send<number, Message>('echo', message(nextId++)).subscribe(() => done());
  },
};
