import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort } from '#usher/testing';
import { accepts, start } from './programs.js';

/** A real nginx of this test alone. */
export interface Nginx {
  readonly port: number;
  /** Its error log so far. */
  log(): string;
  stop(): Promise<void>;
}

export interface NginxSite {
  /** What stands in `http { … }`: `{port}` and `{folder}` are put in. */
  readonly http: string;
  /** Files below `{folder}/srv`, by path. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
}

/** Starts nginx in the foreground, on a free port, with files and caches in a folder of its own. */
export async function startNginx({ http, files = {} }: NginxSite): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'usher-nginx-'));
  const port = await freePort();
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, 'srv', path);
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, content);
  }
  const config = join(folder, 'nginx.conf');
  await writeFile(
    config,
    configuration(folder, http.replaceAll('{port}', String(port)).replaceAll('{folder}', folder)),
  );
  const nginx = start('nginx', ['-p', folder, '-c', config, '-e', join(folder, 'error.log')]);
  await eventually(() => nginx.hasEnded || accepts(port));
  if (nginx.hasEnded) throw new Error(`nginx ended:\n${nginx.output()}`);
  return {
    port,
    log: () => nginx.output() + readFileSync(join(folder, 'error.log'), 'utf8'),
    stop: async () => {
      await nginx.stop('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Everything that nginx writes is in the folder. */
function configuration(folder: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return [
    process.getuid?.() === 0 ? 'user root;' : '',
    'daemon off;',
    'worker_processes 1;',
    `pid ${folder}/nginx.pid;`,
    `error_log ${folder}/error.log warn;`,
    'events { worker_connections 512; }',
    'http {',
    'access_log off;',
    'keepalive_timeout 60s;',
    ...temporary,
    http,
    '}',
  ].join('\n');
}
