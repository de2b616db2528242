import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, open, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import type { Log } from '#usher/domain';
import type { RedisClient } from './client.js';
import { connectRedis } from './connect-redis.js';
import { lockFolder } from './folder-lock.js';
import type { FolderLock } from './folder-lock.js';
import { endOrphan, endProcess, readRecord, writeRecord } from './orphan.js';
import { findRedisBinary } from './redis-binary.js';

export interface EmbeddedRedisOptions {
  /** Usher's data folder; the server's own is `redis` in it. */
  readonly dataDir: string;
  readonly log: Log;
  /** A server of the operator's choice; else redis-server or valkey-server from the PATH. */
  readonly binary?: string;
}

export interface EmbeddedRedis {
  readonly url: string;
  /** Ends the server after it has written its data. */
  stop(): Promise<void>;
}

/** A large append-only file takes its time to load, ms. */
const LOAD_WITHIN = 120_000;
const PORTS_TO_TRY = 5;
/** Between the server's death and the next try, ms. */
const RESTART_AFTER = 250;

/**
 * Runs a private redis-server as a child, on a loopback port of its own, with its data in `<dataDir>/redis`: the same
 * code path as production. It is no part of the terminal's process group, so Ctrl-C does not end it before Usher is
 * done with it; it ends with Usher, and one that a killed Usher left is ended first. Rejects with a sentence for the
 * operator: no server to run, folder in use, or the server's own last words.
 */
export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const binary = await findRedisBinary(options.binary === undefined ? undefined : [options.binary]);
  const folder = join(resolve(options.dataDir), 'redis');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await lockFolder(folder);
  try {
    const orphan = await endOrphan(folder);
    if (orphan !== undefined)
      options.log.warn({ pid: orphan }, 'ended a Redis that an earlier run left behind');
    const server = new EmbeddedServer(binary, folder, lock, options.log);
    await server.start();
    return server;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

class EmbeddedServer implements EmbeddedRedis {
  #port = 0;
  #child: ChildProcess | undefined;
  /** A restart under way. */
  #running: Promise<void> | undefined;
  #stopping = false;
  readonly #onExit = (): void => {
    this.#child?.kill('SIGTERM');
  };

  constructor(
    private readonly binary: string,
    private readonly folder: string,
    private readonly lock: FolderLock,
    private readonly log: Log,
  ) {}

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** On the port of the last run if that is free, so that an operator's redis-cli still fits. */
  async start(): Promise<void> {
    const last = (await readRecord(this.folder))?.port;
    for (let attempt = 1; ; attempt += 1) {
      this.#port = attempt === 1 && last !== undefined && (await isFree(last)) ? last : await freePort();
      try {
        await this.#run();
        process.on('exit', this.#onExit);
        return;
      } catch (error) {
        if (attempt === PORTS_TO_TRY || !String(error).includes('Address already in use')) throw error;
      }
    }
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    await this.#running;
    process.off('exit', this.#onExit);
    if (this.#child?.pid !== undefined) await endProcess(this.#child.pid);
    await this.lock.release();
  }

  /** Starts the server and resolves when it serves; rejects with its last words if it ends before. */
  async #run(): Promise<void> {
    const words = join(this.folder, 'server.log');
    const output = await open(words, 'w', 0o600);
    const child = spawn(this.binary, this.#settings(), {
      cwd: this.folder,
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    this.#child = child;
    const died = new Promise<string>((done) => {
      child.once('error', (error) => done(error.message));
      child.once('exit', (code, signal) => done(`it ended with ${signal ?? code}`));
    });
    await output.close();
    const client = connectRedis({ url: this.url, timeout: 1_000 }, { retryAfterMs: 20 });
    const end = await Promise.race([died, this.#serves(client, child)]);
    await client.close();
    if (end !== 'serves') {
      if (child.pid !== undefined) await endProcess(child.pid);
      this.#child = undefined;
      throw new Error(
        `The embedded Redis did not start: ${end}\n${lastLines(await readFile(words, 'utf8'))}`,
      );
    }
    child.unref();
    void died.then((how) => this.#onDeath(child, how));
    await writeRecord(this.folder, { pid: child.pid!, port: this.#port });
  }

  async #serves(client: RedisClient, child: ChildProcess): Promise<string> {
    if (!(await client.ready(LOAD_WITHIN))) return `no answer: ${client.trouble}`;
    const info = await client.call('INFO', ['server'], 5_000).catch(String);
    return String(info).includes(`process_id:${child.pid}\r`) ? 'serves' : 'Address already in use';
  }

  #onDeath(child: ChildProcess, how: string): void {
    if (this.#stopping || child !== this.#child) return;
    this.#child = undefined;
    this.log.error({ how, port: this.#port }, 'the embedded Redis died; it is started again');
    this.#restart();
  }

  #restart(): void {
    setTimeout(() => {
      this.#running = this.#stopping
        ? undefined
        : this.#run().catch((error: Error) => this.#onFailedRestart(error));
    }, RESTART_AFTER).unref();
  }

  #onFailedRestart(error: Error): void {
    if (this.#stopping) return;
    this.log.error({ why: error.message }, 'the embedded Redis could not be started again; next try');
    this.#restart();
  }

  #settings(): string[] {
    const settings = {
      port: String(this.#port),
      bind: '127.0.0.1',
      'protected-mode': 'yes',
      dir: this.folder,
      appendonly: 'yes',
      appendfsync: 'everysec',
      save: '',
      'maxmemory-policy': 'noeviction',
      daemonize: 'no',
    };
    return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  }
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-5).join('\n');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(0, '127.0.0.1', done);
  });
  const bound = server.address();
  await new Promise((done) => server.close(done));
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server without a port');
  return bound.port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}
