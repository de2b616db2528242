import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { LoggerService, Type, Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyServerOptions } from 'fastify';
import type { Log } from '#usher/domain';
import { AccessGuard } from './access/access.guard.js';
import type { FailedLogins } from './access/failed-logins.js';
import type { TokenTable } from './access/token-table.js';
import { ApiModule } from './api.module.js';
import type { AuditLog } from './audit/audit-log.js';
import { AuditInterceptor } from './audit/audit.interceptor.js';
import { CheckInterceptor } from './endpoint/check.interceptor.js';
import { PathMethods } from './endpoint/path-methods.js';
import { Problem } from './problems/problem.js';
import { ProblemFilter, sendProblem } from './problems/problem-filter.js';
import { problemOf } from './problems/problem-of.js';

/** A body, bytes. */
const MAX_BODY = 64 * 1024;
/** Request line and headers together, bytes. */
const MAX_HEAD = 16 * 1024;
/** One part of a path, characters: names may be encoded. */
const MAX_PART = 1_024;
/** Whoever sends slower is cut off, ms. */
const HEADERS_WITHIN = 10_000;
const REQUEST_WITHIN = 30_000;
const MAX_CONNECTIONS = 512;
/** What is in flight at the end has so long, ms. */
const LAST_ANSWERS = 2_000;

export const PREFIX = 'api/v1';

export interface ApiServerParts {
  readonly log: Log;
  readonly logger: LoggerService;
  readonly tokens: TokenTable;
  readonly logins: FailedLogins;
  readonly audit: AuditLog;
  readonly controllers: readonly Type[];
  readonly providers: readonly Provider[];
}

export interface ApiServer {
  readonly app: NestFastifyApplication;
  readonly paths: PathMethods;
  close(): Promise<void>;
}

/** The operators' port, not yet listening: Fastify under Nest; everything that goes wrong is a problem document. */
export async function createApiServer(parts: ApiServerParts): Promise<ApiServer> {
  const { log, tokens, logins, audit } = parts;
  const paths = new PathMethods();
  const adapter = adapterWith(paths);
  const app = await NestFactory.create<NestFastifyApplication>(
    ApiModule.of(parts.controllers, parts.providers),
    adapter,
    { logger: parts.logger, bodyParser: false, abortOnError: false },
  );
  app.setGlobalPrefix(PREFIX);
  app.useGlobalGuards(new AccessGuard(tokens, logins, audit, log));
  app.useGlobalInterceptors(new AuditInterceptor(audit), new CheckInterceptor());
  app.useGlobalFilters(new ProblemFilter(log, (path) => paths.at(path)));
  return { app, paths, close: () => closeServer(app) };
}

function adapterWith(paths: PathMethods): FastifyAdapter {
  const options: FastifyServerOptions<Server> = {
    serverFactory: makeServer,
    bodyLimit: MAX_BODY,
    requestTimeout: REQUEST_WITHIN,
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PART },
    frameworkErrors: (error, _request, reply) => sendProblem(reply, problemOf(error)),
    clientErrorHandler: refuse,
  };
  const adapter = new FastifyAdapter(options);
  const fastify = adapter.getInstance();
  fastify.addHook('onRoute', ({ method, url }) => {
    for (const one of Array.isArray(method) ? method : [method]) paths.add(one, url);
  });
  fastify.addHook('onRequest', (_request, reply, done) => {
    void reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    done();
  });
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    fastify.getDefaultJsonParser('error', 'error'),
  );
  return adapter;
}

function makeServer(handler: RequestListener): Server {
  const server = createServer({ maxHeaderSize: MAX_HEAD, requestTimeout: REQUEST_WITHIN }, handler);
  server.headersTimeout = HEADERS_WITHIN;
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

/** What node's parser refuses never becomes a request; it is answered all the same. */
function refuse(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const problem =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new Problem('too-large-headers', `Request line and headers are longer than ${MAX_HEAD} bytes.`)
      : new Problem('bad-request', 'This is no HTTP request.');
  const body = JSON.stringify(problem.document());
  const head = [
    `HTTP/1.1 ${problem.status} ${problem.document().title}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Closing while there is something unread would be a reset, and the answer would be lost with it.
  socket.resume();
  setTimeout(() => socket.destroy(), LAST_ANSWERS).unref();
}

async function closeServer(app: NestFastifyApplication): Promise<void> {
  const server = app.getHttpServer() as Server;
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), LAST_ANSWERS);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}
