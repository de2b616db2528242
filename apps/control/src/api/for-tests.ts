import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { tap, type Observable } from 'rxjs';
import { configSchema, type Config } from '#usher/config';
import type { Log, LogFields, Session } from '#usher/domain';
import { startNode, type ClusterNode } from '#usher/node';
import { ClusterClock, connectRedis, createSealer, type RedisClient } from '#usher/redis';
import { startRedis, type RedisProcess } from '#usher/testing';
import { endpointOf } from './endpoint/endpoint.js';
import { startApi, type Api, type ApiExtension } from './api.js';

export const OBSERVER = 'an-observer-of-these-tests';
export const OPERATOR = 'an-operator-of-these-tests';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; undefined where it is none. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into it as they like
  readonly body: any;
}

export interface Call {
  readonly method?: string;
  /** Default: OPERATOR; empty: none. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, but for text, which is sent as it is. */
  readonly body?: unknown;
  /** Ask from another loopback address than 127.0.0.1. */
  readonly from?: string;
}

/** A real admin API over real HTTP, with a Redis of its own. */
export interface ApiWorld {
  readonly server: RedisProcess;
  readonly redis: RedisClient;
  readonly clock: ClusterClock;
  readonly node: ClusterNode;
  readonly api: Api;
  readonly data: string;
  /** Everything that was logged. */
  readonly lines: readonly (LogFields & { readonly message: string })[];
  call(path: string, call?: Call): Promise<Answer>;
  /** What is answered where all is well. */
  get(path: string, call?: Call): Promise<Answer['body']>;
  stop(): Promise<void>;
}

/** Whatever is answered in a test must be as its route says: the OpenAPI document tells no lies. */
@Injectable()
class AnswerCheck implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { answer, type } = endpointOf(context.getHandler());
    if (type !== undefined) return next.handle();
    // As it is sent: what is undefined is not.
    return next.handle().pipe(tap((sent: unknown) => answer.parse(JSON.parse(JSON.stringify(sent)))));
  }
}

/** `config` as a file would have it. */
export async function startApiWorld(
  config: Record<string, unknown> = {},
  extension?: ApiExtension,
): Promise<ApiWorld> {
  const server = await startRedis();
  const data = await mkdtemp(join(tmpdir(), 'usher-api-'));
  const redis = connectRedis({ url: server.url, timeout: 2_000 });
  await redis.ready();
  const clock = new ClusterClock(redis);
  await clock.start();
  const lines: (LogFields & { message: string })[] = [];
  const node = await startNode({
    config: configOf(server.url, data, config),
    log: logInto(lines),
    id: 'control-1',
    host: 'test',
    version: '0.1.0',
    roles: ['control'],
    random: Math.random,
    redis,
    clock,
    sealer: createSealer(['a secret of sixteen characters']),
  });
  const { controllers = [], providers = [] } = extension ?? {};
  const answers = { provide: APP_INTERCEPTOR, useClass: AnswerCheck };
  const api = await startApi(node, { controllers, providers: [...providers, answers] });
  const call = (path: string, options?: Call) => ask(api.port, path, options);
  return {
    server,
    redis,
    clock,
    node,
    api,
    data,
    lines,
    call,
    get: async (path, options) => {
      const answer = await call(path, options);
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
      return answer.body as unknown;
    },
    stop: async () => {
      await api.close();
      await node.close();
      clock.stop();
      await redis.close();
      await server.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

function configOf(url: string, data: string, { control, redis, ...config }: Record<string, unknown>): Config {
  return configSchema.parse({
    data,
    redis: { url, timeout: '2s', ...(redis as object) },
    backends: { portal: { type: 'http', url: 'http://127.0.0.1:9/' } },
    ...config,
    control: {
      listen: '127.0.0.1:0',
      tokens: [
        { name: 'watcher', role: 'observer', token: OBSERVER },
        { name: 'anna', role: 'operator', token: OPERATOR },
      ],
      ...(control as object),
    },
  });
}

function logInto(lines: (LogFields & { message: string })[]): Log {
  const write = (fields: LogFields, message: string): void => void lines.push({ ...fields, message });
  return { debug: write, info: write, warn: write, error: write };
}

/** One request on a connection of its own; a path without /api is one of the API's. */
export function ask(port: number, path: string, call: Call = {}): Promise<Answer> {
  const { method = 'GET', token = OPERATOR, body, from } = call;
  const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const headers = {
    ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
    ...call.headers,
  };
  const whole = path.startsWith('/api') || path === '/' ? path : `/api/v1${path}`;
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      path: whole,
      method,
      headers,
      localAddress: from,
      agent: false,
    };
    const outgoing = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => {
        const isJson = /json/.test(String(response.headers['content-type']));
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          body: isJson ? (JSON.parse(text) as unknown) : undefined,
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(sent);
  });
}

/** A session that a backend allowed a minute ago. */
export function aSession(openedAt: number, parts: Partial<Session> = {}): Session {
  const sessionId = parts.sessionId ?? '1';
  return {
    edge: 'astra-1',
    sessionId,
    fingerprint: `f${sessionId}`,
    viewerKey: `v${sessionId}`,
    channel: 'a001',
    ip: '192.0.2.7',
    userAgent: 'VLC/3.0',
    host: 'live.example.com',
    path: '/play/a001/index.m3u8',
    dialect: 'astra',
    backend: 'portal',
    namespace: 'portal',
    user: '100500',
    sessionName: 'Anna',
    state: 'active',
    source: 'backend',
    presence: 'assumed',
    openedAt,
    authorizedUntil: 0,
    aliveUntil: openedAt + 14_400_000,
    ...parts,
  };
}
