import { Controller, Inject, Module } from '@nestjs/common';
import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import { firstValueFrom, lastValueFrom, of, throwError, toArray } from 'rxjs';
import { eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { BUS_REDIS_OPTIONS, BusContext, BusRecordBuilder, StreamClient, StreamServer } from './index.js';

class Heard {
  readonly events: unknown[] = [];
}

@Controller()
class SumController {
  constructor(@Inject(Heard) private readonly heard: Heard) {}

  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((a, b) => a + b, 0);
  }

  @MessagePattern('echo')
  async echo(@Payload() data: unknown): Promise<unknown> {
    return data;
  }

  @MessagePattern('many')
  many(): unknown {
    return of(1, 2, 3);
  }

  @MessagePattern('nothing')
  nothing(): void {}

  @MessagePattern('told')
  told(): never {
    throw new RpcException('no such thing');
  }

  @MessagePattern('told-more')
  toldMore(): never {
    throw new RpcException({ code: 7 });
  }

  @MessagePattern('streamed-error')
  streamedError(): unknown {
    return throwError(() => new RpcException('late'));
  }

  @MessagePattern('broken')
  broken(): never {
    throw new Error('the password is hunter2');
  }

  @MessagePattern('cycle')
  cycle(): unknown {
    const loop: { self?: unknown } = {};
    loop.self = loop;
    return loop;
  }

  @MessagePattern('context')
  context(@Ctx() context: BusContext): unknown {
    return {
      pattern: context.getPattern(),
      lane: context.getLane(),
      sender: context.getSender(),
      metadata: context.getMetadata(),
      inTime: context.getDeadline() > Date.now(),
    };
  }

  @EventPattern('happened')
  happened(@Payload() data: unknown): void {
    this.heard.events.push(data);
  }
}

@Module({ controllers: [SumController], providers: [Heard] })
class SumModule {}

describe('two Nest applications over the bus', () => {
  let redis: RedisProcess;
  let app: INestMicroservice;
  let server: StreamServer;
  let client: StreamClient;

  const connect = (): Redis => new Redis(redis.url, { ...BUS_REDIS_OPTIONS });

  beforeAll(async () => {
    redis = await startRedis();
    server = new StreamServer({ connect, id: 'worker-1', lanes: { main: 8, other: 2 } });
    app = await NestFactory.createMicroservice(SumModule, { strategy: server, logger: false });
    await app.listen();
    client = new StreamClient({ connect, id: 'asker-1', timeoutMs: 4000 });
    await client.connect();
  });

  afterAll(async () => {
    await client.close();
    await app.close();
    await redis.stop();
  });

  const send = (pattern: unknown, data: unknown = {}): Promise<unknown> =>
    firstValueFrom(client.send(pattern, data));

  it('answers send() with what the handler returns', async () => {
    await expect(send({ cmd: 'sum' }, [1, 2, 3])).resolves.toBe(6);
  });

  it.each([
    ['an object', { a: [1, 'ä', null] }],
    ['a string', 'plain "text" ✓'],
    ['a number', 0],
    ['false', false],
  ])('carries %s there and back', async (_name, data) => {
    await expect(send('echo', data)).resolves.toEqual(data);
  });

  it('carries bytes as they are', async () => {
    const bytes = Buffer.from([0, 255, 13, 10, 128]);
    await expect(send('echo', bytes)).resolves.toEqual(bytes);
  });

  it('delivers all values of an Observable, then completes', async () => {
    await expect(lastValueFrom(client.send('many', {}).pipe(toArray()))).resolves.toEqual([1, 2, 3]);
  });

  it('gives the last of several values to request()', async () => {
    await expect(client.request('many', {})).resolves.toEqual({ kind: 'answered', data: 3 });
  });

  it('completes without a value where the handler returns nothing', async () => {
    await expect(lastValueFrom(client.send('nothing', {}), { defaultValue: 'none' })).resolves.toBe('none');
  });

  it('lets an RpcException cross, as Nest does', async () => {
    await expect(send('told')).rejects.toEqual({ status: 'error', message: 'no such thing' });
    await expect(send('told-more')).rejects.toEqual({ code: 7 });
    await expect(send('streamed-error')).rejects.toEqual({ status: 'error', message: 'late' });
  });

  it.each(['broken', 'cycle'])('masks an unknown error (%s)', async (pattern) => {
    await expect(send(pattern)).rejects.toEqual({ status: 'error', message: 'Internal server error' });
  });

  it('tells the handler lane, sender, deadline and metadata', async () => {
    client.setOnDispatchHook((packet) => (packet.metadata = { trace: 't-1' }));
    const record = new BusRecordBuilder({}).setLane('other').build();
    await expect(send('context', record)).resolves.toEqual({
      pattern: 'context',
      lane: 'other',
      sender: 'asker-1',
      metadata: { trace: 't-1' },
      inTime: true,
    });
    client.setOnDispatchHook(() => undefined);
  });

  it('delivers emit() to an @EventPattern handler', async () => {
    const heard = app.get(Heard);
    await server.events.tailing(5000);
    await lastValueFrom(client.emit('happened', { n: 1 }), { defaultValue: undefined });
    await eventually(() => heard.events.length > 0);
    expect(heard.events).toEqual([{ n: 1 }]);
  });

  it('ends send() at once where nobody listens', async () => {
    await expect(send('unheard-of')).rejects.toMatchObject({ code: 'not-taken' });
    await expect(client.request('unheard-of', {})).resolves.toEqual({ kind: 'not-taken', nobody: true });
  });
});
