import type { Type, Provider } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Why } from '#usher/decisions';
import { NestLog } from '#usher/observe';
import { connectRedis, type RedisClient } from '#usher/redis';
import { Census, RedisKnownViewers, RedisSessionRegistry } from '#usher/sessions';
import type { ControlNode } from '../control-node.js';
import { adminToken } from './access/admin-token.js';
import { FailedLogins } from './access/failed-logins.js';
import { ADMIN, TokenTable } from './access/token-table.js';
import { createApiServer, PREFIX } from './api-server.js';
import { AuditController } from './audit/audit.controller.js';
import { AuditLog } from './audit/audit-log.js';
import { ClusterController } from './cluster/cluster.controller.js';
import { EventsController } from './events/events.controller.js';
import { ExplainController } from './explain/explain.controller.js';
import { HoldsController } from './holds/holds.controller.js';
import { RefreshController } from './refresh/refresh.controller.js';
import { SwitchesController } from './switches/switches.controller.js';
import type { PathMethods } from './endpoint/path-methods.js';
import { CLOCK, NODE, REDIS } from './endpoint/tokens.js';
import { OpenApi } from './openapi/openapi.js';
import { OpenApiController } from './openapi/openapi.controller.js';
import { CountsController } from './sessions/counts.controller.js';
import { Namespaces } from './sessions/namespaces.js';
import { SessionsController } from './sessions/sessions.controller.js';
import { UsersController } from './sessions/users.controller.js';
import { WhyController } from './why/why.controller.js';

/** An operator waits longer than a viewer: for one command, ms. Lists read much at once. */
const PATIENCE = 2_000;

const OPEN =
  'control.listen is open to the network, and tokens would travel in clear: listen on 127.0.0.1, or put a proxy with TLS in front and set control.tlsInFront (docs/api.md)';

/** Further routes: those of another part of control, or of a test. */
export interface ApiExtension {
  readonly controllers: readonly Type[];
  readonly providers: readonly Provider[];
}

export interface Api {
  /** The port that it answers on. */
  readonly port: number;
  readonly paths: PathMethods;
  /** Answers what is in flight, writes what the audit log owes, and is gone. */
  close(): Promise<void>;
}

/** All that can be called. */
export const CONTROLLERS: readonly Type[] = [
  SessionsController,
  UsersController,
  CountsController,
  WhyController,
  EventsController,
  ExplainController,
  ClusterController,
  HoldsController,
  SwitchesController,
  RefreshController,
  AuditController,
  OpenApiController,
];

/**
 * The admin API on `control.listen`. Starts without Redis. Rejects with Node's own error where the port cannot be had,
 * and with a sentence where there is no admin token and none can be made.
 */
export async function startApi(
  node: ControlNode,
  { controllers, providers }: ApiExtension = { controllers: [], providers: [] },
): Promise<Api> {
  const { config, log, clock, random } = node;
  const { listen, tokens } = config.control;
  const admin = await adminToken(config.data);
  if (admin.exposed) log.warn({ file: admin.file }, 'others may read the admin token: chmod 600 it');
  const table = new TokenTable([...tokens, { name: ADMIN, role: 'operator', token: admin.token }]);
  const redis = connectRedis({ ...config.redis, timeout: PATIENCE }, { name: `usher-api-${node.id}` });
  const audit = new AuditLog(redis, clock, random, log);
  const all = [...CONTROLLERS, ...controllers];
  const openApi = new OpenApi(all, node.version);
  const server = await createApiServer({
    log,
    logger: new NestLog(log),
    tokens: table,
    logins: new FailedLogins(clock),
    audit,
    controllers: all,
    providers: [
      { provide: NODE, useValue: node },
      { provide: CLOCK, useValue: clock },
      { provide: REDIS, useValue: redis },
      { provide: AuditLog, useValue: audit },
      { provide: OpenApi, useValue: openApi },
      ...readers(node, redis),
      ...providers,
    ],
  });
  openApi.of(server.app);
  const close = async (): Promise<void> => {
    await server.close();
    await audit.close();
    await redis.close();
  };
  try {
    // Where Redis is there, the first call finds it.
    if (!node.redis.away) await redis.ready(PATIENCE);
    const { host, port } = await listenOn(server.app, listen);
    if (!isLoopback(host) && !config.control.tlsInFront) log.warn({ listen }, OPEN);
    log.info(
      { file: admin.file },
      `operators: http://${host}:${port}/${PREFIX}/, the admin token is in ${admin.file}`,
    );
    return { port, paths: server.paths, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What the lists and records are read with. */
function readers({ config, clock, log }: ControlNode, redis: RedisClient): Provider[] {
  const { shards } = config.redis;
  const namespaces = new Namespaces(config);
  const registry = new RedisSessionRegistry(redis, clock, { shards });
  const why = new Why({
    clock,
    log,
    redis,
    shards,
    bounds: config.why,
    namespaceOf: (name) => namespaces.ofBackend(name),
  });
  return [
    { provide: Namespaces, useValue: namespaces },
    { provide: RedisSessionRegistry, useValue: registry },
    {
      provide: RedisKnownViewers,
      useValue: new RedisKnownViewers(redis, { shards, knownFor: config.gateway.knownFor }),
    },
    { provide: Why, useValue: why },
    { provide: Census, useValue: new Census(redis, shards, clock) },
  ];
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

async function listenOn(
  app: NestFastifyApplication,
  address: string,
): Promise<{ host: string; port: number }> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon);
  await app.init();
  // Not by Nest's own listen: it would log an error that we tell in one sentence.
  await app
    .getHttpAdapter()
    .getInstance()
    .listen({ port: Number(address.slice(colon + 1)), host: host.replace(/^\[(.*)\]$/, '$1') });
  const bound: unknown = app.getHttpServer().address();
  return {
    host,
    port: typeof bound === 'object' && bound !== null && 'port' in bound ? Number(bound.port) : 0,
  };
}
