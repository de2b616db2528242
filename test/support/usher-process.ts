import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually, freePort } from '#usher/testing';

const MAIN = resolve('dist/apps/usher/src/main.js');

export type UsherRole = 'all' | 'gateway' | 'worker' | 'control';

/** A check as an Astra makes it. */
export interface AstraCheck {
  readonly sessionId?: string;
  readonly channel?: string;
  readonly ip?: string;
  readonly query?: string;
  readonly userAgent?: string;
  readonly edge?: string;
}

export interface CheckReply {
  readonly status: number;
  readonly source: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly tookMs: number;
}

/** A real Usher process of this test alone. */
export interface UsherProcess {
  readonly role: UsherRole;
  readonly pid: number;
  /** The edges' port; of no meaning without the role gateway. */
  readonly port: number;
  readonly healthPort: number;
  /** All that it wrote so far. */
  output(): string;
  check(check?: AstraCheck): Promise<CheckReply>;
  /** `GET` on the health port. */
  health(path: string): Promise<{ readonly status: number; readonly body: string }>;
  /** Sends the signal; resolves with the exit code (null for a signal) when it is gone. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts `usher start <role>` with this configuration (JSON is YAML), and waits until it is ready. */
export async function startUsher(role: UsherRole, config: Record<string, unknown>): Promise<UsherProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'usher-test-'));
  const [port, healthPort] = [await freePort(), await freePort()];
  const file = join(dir, 'usher.json');
  const address = `127.0.0.1:${healthPort}`;
  const own = {
    log: { level: 'info', format: 'json' },
    secret: 'a secret of these tests alone',
    data: join(dir, 'data'),
    health: { gateway: address, worker: address, control: address },
    ...config,
    gateway: { listen: `127.0.0.1:${port}`, ...(config['gateway'] as object | undefined) },
  };
  await writeFile(file, JSON.stringify(own));
  const child = spawn(process.execPath, [MAIN, 'start', role, '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (output += data.toString()));
  const usher: UsherProcess = {
    role,
    pid: child.pid!,
    port,
    healthPort,
    output: () => output,
    check: (check = {}) => astraCheck(port, check),
    health: (path) => get(healthPort, path, {}),
    end: async (signal = 'SIGTERM') => {
      const code = await ended(child, signal);
      await rm(dir, { recursive: true, force: true });
      return code;
    },
  };
  try {
    await eventually(
      async () => {
        if (child.exitCode !== null) throw new Error('it ended');
        expect((await usher.health('/health/ready')).status).toBe(200);
      },
      { withinMs: 20_000 },
    );
  } catch (error) {
    await usher.end('SIGKILL');
    throw new Error(`usher start ${role} did not become ready:\n${output}`, { cause: error });
  }
  return usher;
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
  return child.exitCode;
}

function astraCheck(port: number, check: AstraCheck): Promise<CheckReply> {
  const { sessionId = '42', channel = 'a001', ip = '192.0.2.7', query = 'token=123' } = check;
  return get(port, `/e/${check.edge ?? 'astra-1'}/check?${query}`, {
    'X-Session-ID': sessionId,
    'X-Channel-ID': channel,
    'X-Real-IP': ip,
    'X-Real-Path': `/play/${channel}/index.m3u8`,
    'X-Real-UA': check.userAgent ?? 'VLC/3.0',
    'X-Real-Host': 'live.example.com',
  });
}

/** One request on a connection of its own: no pool hides what happened to it. */
export function get(port: number, path: string, headers: Record<string, string>): Promise<CheckReply> {
  const started = performance.now();
  return new Promise((answer, fail) => {
    const call = request({ port, path, headers, host: '127.0.0.1', agent: false }, (response) => {
      let body = '';
      response.on('data', (data: Buffer) => (body += data.toString()));
      response.on('error', fail);
      response.on('end', () =>
        answer({
          status: response.statusCode ?? 0,
          source: String(response.headers['x-usher-source'] ?? ''),
          headers: response.headers,
          body,
          tookMs: performance.now() - started,
        }),
      );
    });
    call.on('error', fail);
    call.end();
  });
}
