import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startProgram } from './children.js';
import { freePort } from './free-port.js';

/** The start fails after it, ms. */
const STARTED_WITHIN = 10_000;

/** A redis-server of one figure alone, without persistence. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** For questions about it; not part of what is measured. */
  readonly client: Redis;
  stop(): Promise<void>;
}

export async function startRedis(): Promise<RedisServer> {
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'usher-bench-'));
  const server = startProgram(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    dir,
  );
  const client = new Redis({ port, lazyConnect: true, maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => undefined);
  const ready = client.ping().then(() => true);
  if (!(await Promise.race([ready, delay(STARTED_WITHIN, false, { ref: false })]))) {
    throw new Error(`redis-server did not start:\n${server.output()}`);
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    client,
    stop: async () => {
      client.disconnect();
      await server.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
