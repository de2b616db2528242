import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EDGES } from '../load/viewers.js';
import { startNode, type Child } from './children.js';
import { freePort } from './free-port.js';

/** From dist/bench/src/processes/. */
export const USHER_MAIN = new URL('../../../usher/main.js', import.meta.url);
const PROBE = new URL('probe.js', import.meta.url);
const READY_WITHIN = 20_000;

/** What the benchmark needs of its cluster: the rest is as an operator has it who changes nothing. */
export interface UsherOptions {
  readonly redisUrl: string;
  readonly backendPort: number;
  /** Further edges, and further settings of the backend, and of control. */
  readonly edges?: Readonly<Record<string, unknown>>;
  readonly backend?: Readonly<Record<string, unknown>>;
  readonly control?: Readonly<Record<string, unknown>>;
}

export interface Memory {
  /** Heap in use and buffers after a collection, bytes. */
  readonly held: number;
  /** Of the whole process, bytes. */
  readonly rss: number;
}

/** A real process of Usher. */
export interface UsherProcess {
  /** Of a gateway the edges' port, of control the operators'. */
  readonly port: number;
  /** Its `data` folder. */
  readonly data: string;
  /** Checks answered so far, by the rung that answered. */
  answersBySource(): Promise<ReadonlyMap<string, number>>;
  /** What it says is broken. */
  problems(): Promise<readonly string[]>;
  memory(): Promise<Memory>;
  stop(): Promise<void>;
}

/** Starts one process of a role, and waits until it is ready. */
export async function startUsher(
  role: 'gateway' | 'worker' | 'control',
  options: UsherOptions,
): Promise<UsherProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'usher-bench-'));
  const [port, healthPort] = [await freePort(), await freePort()];
  const file = join(dir, 'usher.json');
  const listening = { ...options, control: { ...options.control, listen: `127.0.0.1:${port}` } };
  const own = role === 'control' ? listening : options;
  await writeFile(file, JSON.stringify(configuration(own, dir, port, healthPort)));
  const child = startNode(USHER_MAIN, ['start', role, '--config', file], {
    execArgv: ['--import', PROBE.href],
    cwd: dir,
  });
  const health = (path: string): Promise<string> => get(healthPort, path);
  await ready(child, health, role);
  return {
    port,
    data: dir,
    answersBySource: async () => bySource(await health('/metrics')),
    problems: async () => problemsIn(await health('/health/ready')),
    memory: async () => {
      const answer = child.message();
      child.process.send('memory');
      return (await answer) as Memory;
    },
    stop: async () => {
      await child.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A configuration file; JSON is YAML too. */
export function configuration(
  { redisUrl, backendPort, edges, backend, control }: Partial<UsherOptions>,
  data: string,
  port: number,
  healthPort: number,
): Readonly<Record<string, unknown>> {
  const health = `127.0.0.1:${healthPort}`;
  return {
    data,
    secret: 'a secret of this benchmark alone',
    ...(redisUrl === undefined ? {} : { redis: { url: redisUrl } }),
    gateway: { listen: `127.0.0.1:${port}` },
    health: { gateway: health, worker: health, control: health },
    control: { listen: '127.0.0.1:0', ...control },
    log: { level: 'warn', format: 'json' },
    edges: { ...Object.fromEntries(EDGES.map((edge) => [edge, {}])), ...edges },
    // The figures are about Usher: the backend shall not be what bounds them.
    backends: {
      portal: { type: 'http', url: `http://127.0.0.1:${backendPort}/check`, maxCalls: 1000, ...backend },
    },
  };
}

async function ready(child: Child, health: (path: string) => Promise<string>, role: string): Promise<void> {
  const until = performance.now() + READY_WITHIN;
  for (;;) {
    const isReady = await health('/health/ready').then(
      () => true,
      () => false,
    );
    if (isReady) return;
    if (child.process.exitCode !== null || performance.now() > until) {
      throw new Error(`usher start ${role} did not become ready:\n${child.output()}`);
    }
    await delay(20);
  }
}

/** Of a scrape: `usher_checks_total{…,source="cache"} 7`. */
function bySource(scrape: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [, source = '', value] of scrape.matchAll(
    /^usher_checks_total\{[^}]*source="([^"]+)"[^}]*\} (\S+)$/gm,
  )) {
    counts.set(source, (counts.get(source) ?? 0) + Number(value));
  }
  return counts;
}

function problemsIn(body: string): readonly string[] {
  const { details } = JSON.parse(body) as { details: Record<string, { problems?: string[] }> };
  return Object.values(details).flatMap(({ problems }) => problems ?? []);
}

/** The body of a 200; rejects for anything else. */
function get(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ port, path, host: '127.0.0.1', agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200 ? resolve(body) : reject(new Error(`${path}: ${response.statusCode}`)),
      );
    });
    call.on('error', reject);
    call.end();
  });
}
