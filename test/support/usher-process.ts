import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort } from '#usher/testing';
import { runUsher } from './program.js';

export type UsherRole = 'all' | 'gateway' | 'worker' | 'control';

/** What stands in a configuration file. */
export type UsherConfig = Readonly<Record<string, unknown>>;

/** A check as an Astra makes it. */
export interface AstraCheck {
  readonly sessionId?: string;
  readonly channel?: string;
  readonly ip?: string;
  readonly query?: string;
  readonly userAgent?: string;
  readonly host?: string;
  /** The viewer's path. */
  readonly path?: string;
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
  /** Its `data` folder. */
  readonly data: string;
  /** All that it wrote so far. */
  output(): string;
  check(check?: AstraCheck): Promise<CheckReply>;
  /** `GET` on the health port. */
  health(path: string): Promise<{ readonly status: number; readonly body: string }>;
  /** What its roles say is broken while they go on working. */
  problems(): Promise<readonly string[]>;
  /** Sends the signal; resolves with the exit code (null for a signal) when it is gone. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

class PortTakenError extends Error {}

/** For the viewers of a test: to set aside what production needs takes a start a fifth of its time. */
const ROOM = { cacheEntries: 5_000, knownEntries: 5_000 };

/** Starts `usher start <role>` with this configuration (JSON is YAML), and waits until it is ready. */
export async function startUsher(role: UsherRole, config: UsherConfig): Promise<UsherProcess> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnFreePorts(role, config);
    } catch (error) {
      // A port that was free a moment ago is somebody else's now.
      if (!(error instanceof PortTakenError) || attempt === 5) throw error;
    }
  }
}

async function startOnFreePorts(role: UsherRole, config: UsherConfig): Promise<UsherProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'usher-test-'));
  const [port, healthPort] = [await freePort(), await freePort()];
  const [file, data] = [join(dir, 'usher.json'), join(dir, 'data')];
  const address = `127.0.0.1:${healthPort}`;
  const own = {
    log: { level: 'info', format: 'json' },
    secret: 'a secret of these tests alone',
    data,
    health: { gateway: address, worker: address, control: address },
    control: { listen: '127.0.0.1:0' },
    ...config,
    gateway: { listen: `127.0.0.1:${port}`, ...ROOM, ...(config['gateway'] as object | undefined) },
  };
  await writeFile(file, JSON.stringify(own));
  const program = runUsher(['start', role, '--config', file]);
  const usher: UsherProcess = {
    role,
    pid: program.pid,
    port,
    healthPort,
    data,
    output: () => program.output(),
    check: (check = {}) => astraCheck(port, check),
    health: (path) => get(healthPort, path, {}),
    problems: async () => problemsIn((await get(healthPort, '/health/ready', {})).body),
    end: async (signal = 'SIGTERM') => {
      program.signal(signal);
      const code = await program.ended;
      await rm(dir, { recursive: true, force: true });
      return code;
    },
  };
  try {
    await eventually(async () => program.hasEnded || (await usher.health('/health/ready')).status === 200, {
      withinMs: 60_000,
      everyMs: 50,
    });
    if (program.hasEnded) throw new Error('it ended');
  } catch (error) {
    await usher.end('SIGKILL');
    const Failure = program.output().includes(' is in use') ? PortTakenError : Error;
    throw new Failure(`usher start ${role} did not become ready:\n${program.output()}`, { cause: error });
  }
  return usher;
}

/** The words under `problems` of every role in a health body. */
function problemsIn(body: string): readonly string[] {
  const { details } = JSON.parse(body) as { details: Record<string, { problems?: string[] }> };
  return Object.values(details).flatMap(({ problems }) => problems ?? []);
}

function astraCheck(port: number, check: AstraCheck): Promise<CheckReply> {
  const { sessionId = '42', channel = 'a001', ip = '192.0.2.7', query = 'token=123' } = check;
  return get(port, `/e/${check.edge ?? 'astra-1'}/check?${query}`, {
    'X-Session-ID': sessionId,
    'X-Channel-ID': channel,
    'X-Real-IP': ip,
    'X-Real-Path': check.path ?? `/play/${channel}/index.m3u8`,
    'X-Real-UA': check.userAgent ?? 'VLC/3.0',
    'X-Real-Host': check.host ?? 'live.example.com',
  });
}

export interface GetOptions {
  readonly method?: string;
  /** Ask from another loopback address than 127.0.0.1. */
  readonly localAddress?: string;
}

/** One request on a connection of its own: no pool hides what happened to it. Rejects where nobody answers. */
export function get(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  more: GetOptions = {},
): Promise<CheckReply> {
  const started = performance.now();
  return new Promise((answer, fail) => {
    const options = { ...more, port, path, headers, host: '127.0.0.1', agent: false };
    const call = request(options, (response) => {
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
