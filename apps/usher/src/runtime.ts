import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Config } from '#usher/config';
import type { Log } from '#usher/domain';
import { createLogger, Metrics } from '#usher/observe';
import { readNodeMetrics, startNode, type ClusterNode } from '#usher/node';
import {
  checkRedis,
  ClusterClock,
  connectRedis,
  createSealer,
  startEmbeddedRedis,
  type RedisClient,
} from '#usher/redis';
import type { RoleName, Runtime } from './role.js';
import { ownSecret } from './secret-file.js';
import { usherVersion } from './version.js';

/** How long the start waits for Redis before it goes on without, ms: gateways answer without Redis too. */
const REDIS_WITHIN = 2_000;

export interface StartedRuntime extends Runtime {
  close(): Promise<void>;
}

/** Makes what the roles of a process share. Rejects with a sentence for the operator. */
export async function startRuntime(
  configured: Config,
  name: string,
  roles: readonly RoleName[],
): Promise<StartedRuntime> {
  const log = createLogger(configured.log, { name });
  const isEmbedded = configured.redis.url === undefined && configured.redis.sentinels.length === 0;
  const secret = configured.secret ?? [await ownSecret(configured.data)];
  if (configured.secret === undefined && !isEmbedded) {
    log.warn(
      { file: `${configured.data}/secret` },
      'secret is not set: this process made its own; all processes on one Redis need the same',
    );
  }
  const embedded = isEmbedded ? await startEmbeddedRedis({ dataDir: configured.data, log }) : undefined;
  const config: Config = Object.freeze({
    ...configured,
    secret,
    redis: Object.freeze({ ...configured.redis, url: embedded?.url ?? configured.redis.url }),
  });
  const redis = connectRedis(config.redis, { name: `usher-${name}` });
  const clock = new ClusterClock(redis, {
    onSkew: (skewMs) => log.warn({ skewMs }, 'this machine’s clock is more than a second away from Redis’'),
  });
  const metrics = new Metrics();
  const sealer = createSealer(secret);
  const node = { id: randomBytes(6).toString('hex'), host: hostname(), version: usherVersion() };
  let cluster: ClusterNode | undefined;
  const close = async (): Promise<void> => {
    await cluster?.close();
    clock.stop();
    metrics.close();
    await redis.close();
    await embedded?.stop();
    log.flush();
  };
  try {
    if (await redis.ready(REDIS_WITHIN)) await sayFindings(await checkRedis(redis), log);
    else {
      log.warn({ why: redis.trouble }, 'Redis is away; starting without it');
      checkWhenItComes(redis, log);
    }
    await clock.start();
    const shared = { config, log, redis, clock, random: Math.random, sealer };
    cluster = await startNode({ ...shared, ...node, roles });
    readNodeMetrics(cluster, metrics);
    return { ...shared, metrics, node, cluster, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Nothing ends then: checks are answered already, and were without it. */
export function checkWhenItComes(redis: RedisClient, log: Pick<Log, 'warn' | 'error'>): void {
  const stop = redis.onAway((away) => {
    if (away) return;
    stop();
    void checkRedis(redis).then((findings) => {
      for (const { level, text } of findings) log[level]({}, text);
    });
  });
}

type Findings = Awaited<ReturnType<typeof checkRedis>>;

/** A Redis that Usher cannot work with ends the start. */
async function sayFindings(findings: Findings, log: Runtime['log']): Promise<void> {
  for (const { level, text } of findings) if (level === 'warn') log.warn({}, text);
  const errors = findings.filter(({ level }) => level === 'error').map(({ text }) => text);
  if (errors.length > 0) throw new Error(errors.join('; '));
}
