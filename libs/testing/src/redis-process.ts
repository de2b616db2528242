import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { askRedis } from './redis-cli.js';

export interface RedisProcessOptions {
  /** Keep data in an append-only file, so that it survives `restart()`. Default false. */
  readonly persist?: boolean;
  /** More settings, as on the command line: `['--maxmemory', '10mb']`. */
  readonly args?: readonly string[];
  readonly password?: string;
  /** Run as a Sentinel with this configuration file, which it rewrites. */
  readonly sentinel?: string;
  /** A port of one's own choice; without it a free one. */
  readonly port?: number;
}

/** A real redis-server of this test alone. It ends with the test process, however that ends. */
export interface RedisProcess {
  readonly port: number;
  /** redis://127.0.0.1:port, with the password where there is one. */
  readonly url: string;
  readonly pid: number;
  readonly dir: string;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: it accepts connections (the kernel does) and answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** Ends it if it runs, and starts it again on the same port. Without `persist` it is empty either way. */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
  /** What `redis-cli` prints for these arguments. */
  cli(...args: string[]): Promise<string>;
}

/**
 * The shell waits for the end of its input, which comes when the test process is gone, even by SIGKILL; an exit hook
 * of a Jest worker would not run then.
 */
const GUARD =
  'command -v redis-server >/dev/null && server=redis-server || server=valkey-server; ' +
  '"$server" "$@" >>server.log 2>&1 & pid=$!; echo $pid; read _; kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null';

class PortTakenError extends Error {}

/** Starts a redis-server (or valkey-server) and waits until it answers. */
export async function startRedis(options: RedisProcessOptions = {}): Promise<RedisProcess> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const dir = await mkdtemp(join(tmpdir(), 'usher-redis-'));
    const server = new GuardedRedis(port, dir, options);
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.stop();
      if (!(error instanceof PortTakenError) || options.port !== undefined || attempt === 5) throw error;
    }
  }
}

class GuardedRedis implements RedisProcess {
  readonly url: string;
  #pid = 0;
  #guard: ChildProcess | undefined;

  constructor(
    readonly port: number,
    readonly dir: string,
    private readonly options: RedisProcessOptions,
  ) {
    const credentials = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`;
    this.url = `redis://${credentials}127.0.0.1:${port}`;
  }

  get pid(): number {
    return this.#pid;
  }

  async start(): Promise<void> {
    const guard = spawn('sh', ['-c', GUARD, 'sh', ...this.#settings()], {
      cwd: this.dir,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#guard = guard;
    this.#pid = Number(await firstLine(guard));
    letExit(guard);
    const serves = await eventually(() => this.#serves(), { withinMs: 60_000, everyMs: 15 });
    if (serves instanceof Error) throw serves;
  }

  async kill(): Promise<void> {
    const guard = this.#guard;
    this.#guard = undefined;
    if (guard === undefined) return;
    const gone = new Promise((resolve) => guard.once('exit', resolve));
    guard.ref();
    guard.stdin?.destroy();
    await gone;
  }

  pause(): void {
    process.kill(this.#pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#pid, 'SIGCONT');
  }

  async restart({ empty = false }: { readonly empty?: boolean } = {}): Promise<void> {
    await this.kill();
    if (empty) {
      await rm(this.dir, { recursive: true, force: true });
      await mkdir(this.dir);
    }
    await this.start();
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }

  cli(...args: string[]): Promise<string> {
    return askRedis(this.port, args, this.options.password);
  }

  #settings(): string[] {
    const listen = ['--port', String(this.port), '--bind', '127.0.0.1'];
    if (this.options.sentinel !== undefined) return [this.options.sentinel, '--sentinel', ...listen];
    const settings = [...listen, '--save', ''];
    settings.push('--appendonly', this.options.persist === true ? 'yes' : 'no');
    if (this.options.password !== undefined) settings.push('--requirepass', this.options.password);
    return [...settings, ...(this.options.args ?? [])];
  }

  /** True once it serves, an error if it never will; throws while it does not. Another process's Redis there is not it. */
  async #serves(): Promise<true | Error> {
    const log = await readFile(join(this.dir, 'server.log'), 'utf8').catch(() => '');
    if (log.includes('Address already in use')) return new PortTakenError(`port ${this.port} is taken`);
    if (/valkey-server: .*not found/.test(log)) {
      return new Error('Tests need redis-server or valkey-server (version 7 or later) on the PATH.');
    }
    const info = await this.cli('INFO');
    if (!info.includes(`process_id:${this.#pid}`) || info.includes('loading:1')) {
      throw new Error(`redis-server does not serve port ${this.port}: ${info.slice(0, 200)}\n${log}`);
    }
    return true;
  }
}

/** A forgotten server keeps no test process alive. */
function letExit(guard: ChildProcess): void {
  guard.unref();
  for (const pipe of [guard.stdin, guard.stdout]) (pipe as { unref?: () => void } | null)?.unref?.();
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout!.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return text.trim();
}
