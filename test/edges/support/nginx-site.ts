import { blocksIn } from './documented.js';

/** nginx's configuration as documented: the site, and what lets everybody in while no gateway answers. */
export const [SITE = '', AWAY = '', LET_IN = ''] = blocksIn('docs/dialects/forward.md', 'nginx');

/** On this machine; `{port}` and `{folder}` are for `startNginx` to put in. */
export function onThisMachine(gateway: number, site = SITE): string {
  return site
    .replace('server 10.0.0.2:1064', `server 127.0.0.1:${gateway}`)
    .replace('/var/cache/nginx/usher', '{folder}/cache')
    .replace('listen 80;', 'listen {port};')
    .replace('root /srv;', 'root {folder}/srv;');
}

/** The same without its cache lines. */
export function withoutCache(site: string): string {
  return site.replace(/^ *(#.*)?proxy_cache.*\n/gm, '');
}
