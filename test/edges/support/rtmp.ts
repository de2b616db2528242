import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '#usher/testing';
import { accepts, hasFfmpeg, run, start, type Running } from './programs.js';

/** Where Debian and others keep nginx's modules, and what nginx itself says. */
const MODULE = 'ngx_rtmp_module.so';

/** What these tests need and is not there; undefined: all of it is. */
export function missingForRtmp(): string | undefined {
  const missing = [
    ...(moduleFile() === undefined ? ['nginx with the RTMP module (libnginx-mod-rtmp)'] : []),
    ...(hasFfmpeg() ? [] : ['ffmpeg']),
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
  const nginx = start('nginx', ['-p', folder, '-c', config, '-e', errors]);
  await eventually(() => nginx.hasEnded || accepts(port));
  if (nginx.hasEnded) throw new Error(`nginx ended:\n${nginx.output()}`);
  return {
    log: () => nginx.output() + readFileSync(errors, 'utf8'),
    stop: async () => {
      await nginx.stop('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
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
