import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '#usher/testing';

/** Where Debian and others keep nginx's modules, and what nginx itself says. */
const MODULE = 'ngx_rtmp_module.so';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** What these tests need and is not there; undefined: all of it is. */
export function missingForRtmp(): string | undefined {
  const missing = [
    ...(moduleFile() === undefined ? ['nginx with the RTMP module (libnginx-mod-rtmp)'] : []),
    ...(['ffmpeg', 'ffprobe'].some((name) => spawnSync(name, ['-version']).status !== 0) ? ['ffmpeg'] : []),
  ];
  return missing.length === 0 ? undefined : missing.join(' and ');
}

function moduleFile(): string | undefined {
  const { status, stderr } = spawnSync('nginx', ['-V'], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const [, own = ''] = /--modules-path=(\S+)/.exec(stderr) ?? [];
  return [own, '/usr/lib/nginx/modules', '/usr/lib64/nginx/modules']
    .map((folder) => join(folder, MODULE))
    .find((file) => existsSync(file));
}

/** A real nginx with the RTMP module, of this test alone. */
export interface RtmpServer {
  /** Its error log so far. */
  log(): string;
  stop(): Promise<void>;
}

/** Starts nginx in the foreground; `blocks` are what stands in its configuration, and `port` is where it takes RTMP. */
export async function startRtmpServer(blocks: string, port: number): Promise<RtmpServer> {
  const folder = await mkdtemp(join(tmpdir(), 'usher-rtmp-'));
  const config = join(folder, 'nginx.conf');
  const errors = join(folder, 'error.log');
  const head = [
    `load_module ${moduleFile()!};`,
    process.getuid?.() === 0 ? 'user root;' : '',
    'daemon off;',
    'worker_processes 1;',
    `pid ${folder}/nginx.pid;`,
    `error_log ${errors} info;`,
    'events { worker_connections 512; }',
  ];
  await writeFile(config, `${head.join('\n')}\n${blocks}`);
  const child = spawn('nginx', ['-p', folder, '-c', config, '-e', errors], { stdio: 'pipe' });
  running.add(child);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const gone = once(child, 'close').finally(() => running.delete(child));
  await eventually(() => child.exitCode !== null || accepts(port));
  if (child.exitCode !== null) throw new Error(`nginx ended:\n${said}`);
  return {
    log: () => said + readFileSync(errors, 'utf8'),
    stop: async () => {
      child.kill('SIGTERM');
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** A program of ffmpeg's that runs. */
export interface Running {
  readonly hasEnded: boolean;
  /** Resolves with its exit code when it has ended. */
  readonly ended: Promise<number | null>;
  output(): string;
  stop(): Promise<void>;
}

/** Sends a picture to an address, until it is refused or stopped. */
export function publish(url: string): Running {
  return run('ffmpeg -v error -re -f lavfi -i testsrc=size=64x64:rate=5 -g 5 -c:v flv -f flv {}', url);
}

/** Plays what is at an address, until it is refused, cut or stopped. */
export function play(url: string): Running {
  return run('ffmpeg -v error -i {} -f null -', url);
}

/** The codec of the picture at an address; empty where there is none to be had. */
export async function pictureAt(url: string): Promise<string> {
  const probe = run(
    'ffprobe -v quiet -analyzeduration 500000 -select_streams v -show_entries stream=codec_name -of csv=p=0 {}',
    url,
  );
  await probe.ended;
  return probe.output().trim();
}

/** A command without quotes: its words are parted by spaces, and `{}` is the address. */
function run(command: string, address: string): Running {
  const [program = '', ...args] = command.split(' ').map((word) => (word === '{}' ? address : word));
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = once(child, 'close').then(() => {
    running.delete(child);
    return child.exitCode;
  });
  return {
    get hasEnded() {
      return !running.has(child);
    },
    ended,
    output: () => output,
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
