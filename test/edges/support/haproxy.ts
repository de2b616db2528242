import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '#usher/testing';
import { accepts, start } from './programs.js';
import { blocksIn } from './documented.js';

const SCRIPT = resolve('deploy/haproxy/usher.lua');
const [DOCUMENTED = ''] = blocksIn('docs/dialects/forward.md', 'haproxy');
/** The first with an HTTP client for Lua that can be told its headers and its time. */
const SINCE = [2, 6] as const;

/** A real HAProxy of this test alone. */
export interface Haproxy {
  /** All that it said so far. */
  log(): string;
  stop(): Promise<void>;
}

/** What these tests need and is not there; undefined: all of it is. */
export function missingForHaproxy(): string | undefined {
  const { status, stdout } = spawnSync('haproxy', ['-vv'], { encoding: 'utf8' });
  const [, major = 0, minor = 0] = /version (\d+)\.(\d+)/.exec(stdout ?? '')?.map(Number) ?? [];
  const isOld = major < SINCE[0] || (major === SINCE[0] && minor < SINCE[1]);
  return status !== 0 || isOld || !stdout.includes('+LUA') ? 'HAProxy 2.6 or later, with Lua' : undefined;
}

export interface HaproxyPorts {
  /** Viewers ask there. */
  readonly live: number;
  /** Its own questions go there. */
  readonly questions: number;
  readonly gateways: readonly [number, number];
  readonly origin: number;
}

/** HAProxy's configuration as documented, on this machine. */
export function documentedHaproxy({ live, questions, gateways, origin }: HaproxyPorts): string {
  return DOCUMENTED.replace('/etc/haproxy/usher.lua', SCRIPT)
    .replace('bind :80', `bind 127.0.0.1:${live}`)
    .replaceAll('127.0.0.1:1065', `127.0.0.1:${questions}`)
    .replace('10.0.0.2:1064', `127.0.0.1:${gateways[0]}`)
    .replace('10.0.0.3:1064', `127.0.0.1:${gateways[1]}`)
    .replace('10.0.0.30:80', `127.0.0.1:${origin}`);
}

/** Starts HAProxy in the foreground; resolves when it accepts viewers at this port. */
export async function startHaproxy(configuration: string, port: number): Promise<Haproxy> {
  const folder = await mkdtemp(join(tmpdir(), 'usher-haproxy-'));
  const file = join(folder, 'haproxy.cfg');
  await writeFile(file, `${configuration}\n`);
  const haproxy = start('haproxy', ['-db', '-f', file]);
  await eventually(() => haproxy.hasEnded || accepts(port));
  if (haproxy.hasEnded) throw new Error(`HAProxy ended:\n${haproxy.output()}`);
  return {
    log: () => haproxy.output(),
    stop: async () => {
      await haproxy.stop('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
