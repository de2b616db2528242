import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startProgram } from './children.js';
import { freePort } from './free-port.js';

/** The start fails after it, ms. */
const STARTED_WITHIN = 10_000;
/** Where distributions put it that leave /usr/sbin out of people's PATH. */
const PLACES = ['nginx', '/usr/sbin/nginx'];

/** A real nginx of one figure alone, in one process. */
export interface Nginx {
  /** Viewers ask there, and nginx asks the gateway about each request. */
  readonly asking: number;
  /** The same, but nginx answers its own question from its cache while it may. */
  readonly caching: number;
  stop(): Promise<void>;
}

/** An nginx that has auth_request; undefined: there is none here. */
export function findNginx(): string | undefined {
  return PLACES.find((program) => {
    const { stderr } = spawnSync(program, ['-V'], { encoding: 'utf8' });
    return stderr?.includes('http_auth_request_module') === true;
  });
}

/** As documented (docs/dialects/forward.md), with and without the cache; `edge` is the path of the edge at the gateway. */
export async function startNginx(program: string, gateway: number, edge: string): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'usher-bench-nginx-'));
  const [asking, caching] = [await freePort(), await freePort()];
  const file = join(folder, 'nginx.conf');
  await writeFile(file, configuration(folder, { gateway, edge, asking, caching }));
  const child = startProgram(program, ['-p', folder, '-c', file, '-e', join(folder, 'error.log')], folder);
  const until = performance.now() + STARTED_WITHIN;
  while (!(await accepts(caching))) {
    if (child.process.exitCode !== null || performance.now() > until) {
      throw new Error(`nginx did not start:\n${child.output()}`);
    }
    await delay(20);
  }
  return {
    asking,
    caching,
    stop: async () => {
      await child.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Site {
  readonly gateway: number;
  readonly edge: string;
  readonly asking: number;
  readonly caching: number;
}

function configuration(folder: string, { gateway, edge, asking, caching }: Site): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const site = (port: number, ...cache: readonly string[]): string => `
    server {
        listen 127.0.0.1:${port} backlog=1024;
        location /live/ {
            auth_request /_usher;
            auth_request_set $auth_user $upstream_http_x_userid;
            empty_gif;
        }
        location = /_usher {
            internal;
            proxy_pass http://usher${edge};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Original-URI $request_uri;
            proxy_set_header X-Original-Method $request_method;
            proxy_set_header X-Original-Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            ${cache.join('\n            ')}
        }
    }`;
  return `
daemon off;
master_process off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${folder}/nginx.pid;
error_log ${folder}/error.log warn;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 100000000;
    ${temporary.join('\n    ')}
    upstream usher {
        server 127.0.0.1:${gateway} max_fails=0;
        keepalive 128;
        keepalive_requests 100000000;
    }
    proxy_cache_path ${folder}/cache keys_zone=usher:10m max_size=100m inactive=10m;
    map $request_uri $auth_part {
        default $request_uri;
        "~^(?<auth_folder>/live/[^/?%.][^/?%]*/)([^/?%.][^/?%]*/)*([^/?%.][^/?%]*)?(\\?(?<auth_query>.*))?$" "$auth_folder?$auth_query";
    }
    ${site(asking)}
    ${site(
      caching,
      'proxy_cache usher;',
      'proxy_cache_key "$request_method|$remote_addr|$http_user_agent|$host|$http_authorization|$cookie_sid|$auth_part";',
      'proxy_cache_lock on;',
      'proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;',
    )}
}
`;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}
