import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { Module, type DynamicModule, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyServerOptions } from 'fastify';
import type { NetworkTest } from '../edges/networks.js';
import { CheckDoor } from './check-door.js';
import { CheckController } from './check.controller.js';
import type { GistMemory } from './gist-memory.js';
import type { Memory } from './memory.js';
import { acceptProxyProtocol } from './proxy-protocol.js';

/** An idle connection is kept so long: a reset in the moment of a check is an allow at an Astra. Milliseconds. */
const KEEP_ALIVE = 600_000;
/** Whoever sends its headers slower is cut off, ms. */
const HEADERS_TIMEOUT = 10_000;
/** What is still being sent after a refusal is read away for so long, ms. */
const LINGER = 2_000;
/** A webhook's body, bytes. */
const MAX_BODY = 64 * 1024;

export interface EdgeServerOptions {
  readonly door: CheckDoor;
  readonly memory: Memory;
  readonly gists: GistMemory;
  readonly logger: LoggerService;
  /** Request line and headers together, bytes. */
  readonly maxHead: number;
  readonly maxRequestLine: number;
  /** Set: connections from these addresses start with a PROXY protocol preamble. */
  readonly proxyProtocolFrom?: NetworkTest;
}

@Module({})
class EdgeModule {
  static of(door: CheckDoor): DynamicModule {
    return {
      module: EdgeModule,
      controllers: [CheckController],
      providers: [{ provide: CheckDoor, useValue: door }],
    };
  }
}

/**
 * The edges' port: Fastify under Nest, and in front of its router a listener that answers what is known by heart.
 * Not yet listening.
 */
export async function createEdgeServer(options: EdgeServerOptions): Promise<NestFastifyApplication> {
  const fastifyOptions: FastifyServerOptions<Server> = {
    serverFactory: (handler) => inFront(options, handler),
    bodyLimit: MAX_BODY,
    // A check that comes in while the port closes is a check: at an Alta a 503 refuses the viewer.
    return503OnClosing: false,
    // The viewer's query is not ours to parse, and a path that is no valid URL is a check like any other.
    routerOptions: { querystringParser: () => ({}), maxParamLength: options.maxRequestLine },
    frameworkErrors: (_error, request, reply) => {
      reply.hijack();
      void options.door.answer(request.raw, reply.raw);
    },
    clientErrorHandler: (error, socket) => refuse(error, socket, options.maxRequestLine),
  };
  const adapter = new FastifyAdapter(fastifyOptions);
  const fastify = adapter.getInstance();
  // Signed bodies are verified byte for byte, and Astra's webhook is not documented: each is understood where it is used.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  const app = await NestFactory.create<NestFastifyApplication>(EdgeModule.of(options.door), adapter, {
    logger: options.logger,
    bodyParser: false,
    abortOnError: false,
  });
  return app;
}

/** Answers what is in flight. A connection that lingers longer than `patience` (ms) is cut: it would keep us for ever. */
export async function closeEdgeServer(app: NestFastifyApplication, patience: number): Promise<void> {
  const server = app.getHttpServer() as Server;
  const cut = setTimeout(() => server.closeAllConnections(), patience);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}

function inFront(
  { memory, gists, maxHead, proxyProtocolFrom }: EdgeServerOptions,
  handler: RequestListener,
): Server {
  const server = createServer(
    { maxHeaderSize: maxHead, keepAliveTimeout: KEEP_ALIVE },
    (request, response) => {
      if (gists.answer(request, response)) return;
      if (request.method === 'GET' && memory.answer(request, response)) return;
      handler(request, response);
    },
  );
  server.headersTimeout = HEADERS_TIMEOUT;
  if (proxyProtocolFrom !== undefined) acceptProxyProtocol(server, proxyProtocolFrom);
  return server;
}

type ConnectionError = Parameters<NonNullable<FastifyServerOptions<Server>['clientErrorHandler']>>[0];

const rawPacketOf = (error: ConnectionError): Buffer | undefined =>
  Buffer.isBuffer(error.rawPacket) ? error.rawPacket : undefined;

/** The packet in which the limit was passed starts with a request line that is too long; of a later packet nobody knows. */
function startsWithLongLine(packet: Buffer | undefined, maxRequestLine: number): boolean {
  if (packet === undefined || !/^[A-Z]+ /.test(packet.toString('latin1', 0, 16))) return false;
  const end = packet.indexOf('\n');
  return end === -1 || end > maxRequestLine;
}

/** What node's parser refuses never becomes a request; it still gets an answer that says why. */
function refuse(error: ConnectionError, socket: Socket, maxRequestLine: number): void {
  // More of the same request: it was answered, and the rest of it is read away.
  if (socket.writableEnded) return;
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const longLine = tooLarge && startsWithLongLine(rawPacketOf(error), maxRequestLine);
  const status = longLine
    ? '414 URI Too Long'
    : tooLarge
      ? '431 Request Header Fields Too Large'
      : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  // Closing while there is something unread would be a reset, and the answer would be lost with it.
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER).unref();
}
