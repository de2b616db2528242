import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ConsoleLogger } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { CheckDoor } from './check-door.js';
import { closeEdgeServer, createEdgeServer } from './edge-server.js';
import type { GistMemory } from './gist-memory.js';
import type { Memory } from './memory.js';

/** An edges' port whose door answers 200 when it is told to. */
describe('the edges’ port, while it closes,', () => {
  let app: NestFastifyApplication;
  let port: number;
  let asked: ServerResponse[];
  let onAsked: () => void;

  beforeEach(async () => {
    asked = [];
    onAsked = () => undefined;
    const answer = async (_: IncomingMessage, response: ServerResponse): Promise<void> => {
      asked.push(response);
      onAsked();
    };
    app = await createEdgeServer({
      door: { answer } as unknown as CheckDoor,
      memory: { answer: () => false } as unknown as Memory,
      gists: { answer: () => false } as unknown as GistMemory,
      logger: new ConsoleLogger({ logLevels: ['error'] }),
      maxHead: 16_384,
      maxRequestLine: 8_192,
    });
    await app.init();
    await app.getHttpAdapter().getInstance().listen({ port: 0, host: '127.0.0.1' });
    port = (app.getHttpServer().address() as { port: number }).port;
  });

  afterEach(() => closeEdgeServer(app, 0));

  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1');
    await once(socket, 'connect');
    return socket;
  };
  const nextAsked = () => new Promise<void>((resolve) => (onAsked = resolve));
  const check = 'GET /e/astra-1/check HTTP/1.1\r\nHost: usher\r\n\r\n';

  it('answers a check that comes in on a busy connection, and never with a status of its own', async () => {
    const socket = await open();
    let text = '';
    socket.on('data', (chunk: string) => (text += chunk));
    const first = nextAsked();
    socket.write(check);
    await first;
    const closed = closeEdgeServer(app, 10_000);
    await new Promise(setImmediate);
    const second = nextAsked();
    socket.write(check);
    asked[0]!.end();
    await second;
    asked[1]!.end();
    await closed;
    expect(text.match(/^HTTP\/1\.1 \d+/gm)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
  });

  it('does not wait for a connection that never asked anything', async () => {
    const socket = await open();
    const gone = once(socket, 'close');
    await closeEdgeServer(app, 50);
    await gone;
  });
});
