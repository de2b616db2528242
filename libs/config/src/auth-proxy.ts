import type { ConfigFile } from './config-file.js';
import { ConfigError } from './problem.js';

/**
 * The configuration of Cesbo's auth-proxy, which Usher replaces in place (its README and main.go):
 * `{"listen": ":1064", "backend": ["http://…", …]}`. It asks all at once and relays the first 200; anything else,
 * failures included, is 403. The viewer's query replaces the address's own. Nothing is cached. Answers later than
 * 2 s are failures. Whoever reaches the port may ask.
 */
interface AuthProxyFile {
  readonly listen?: string;
  readonly backend: readonly string[];
}

/** Said at start, after the file's name. */
export const AUTH_PROXY_NOTES = [
  'this is a configuration of auth-proxy; it is run with its own meaning: all backends at once, the first allow wins, ' +
    'refused when none can be asked, denials not remembered, asked by whoever reaches the port',
  'unlike auth-proxy, Usher remembers allows, and does not follow redirects; write a usher.yaml to settle more',
];

const DEFAULT_PORT = ':1064';

/** `backend` with a list of addresses: no configuration of ours has that. */
export function isAuthProxy(data: unknown): data is AuthProxyFile {
  return (
    data !== null &&
    typeof data === 'object' &&
    'backend' in data &&
    Array.isArray(data.backend) &&
    data.backend.every((one) => typeof one === 'string')
  );
}

/** Our settings that mean the same. Throws ConfigError with the file's lines. */
export function translateAuthProxy({ listen, backend }: AuthProxyFile, file: ConfigFile): unknown {
  const wrong = backend.flatMap((address, at) =>
    URL.canParse(address) ? [] : [`${file.place(['backend', at])}: backend[${at}]: expected an http address`],
  );
  if (backend.length === 0)
    wrong.push(`${file.place(['backend'])}: backend: empty, so everybody would be refused`);
  if (wrong.length > 0) throw new ConfigError(wrong);
  const names = backend.map((_, at) => `backend-${at + 1}`);
  return {
    gateway: {
      listen: listenAddress(listen || DEFAULT_PORT),
      edgesFrom: ['0.0.0.0/0', '::/0'],
      deadline: '3s',
      answerTtl: { deny: '0s' },
    },
    backends: Object.fromEntries(backend.map((address, at) => [names[at], translateBackend(address)])),
    groups: { all: { policy: 'any', backends: names, partial: 'deny' } },
    routes: [{ group: 'all', failMode: 'closed', overload: 'deny' }],
  };
}

/** The status alone counts, whichever middleware it is; so all are `http`. */
function translateBackend(address: string): unknown {
  const url = new URL(address);
  url.search = '';
  url.hash = '';
  return { type: 'http', url: url.href, timeout: '2s', failMode: 'closed' };
}

/** Go's `:1064` is every address. */
const listenAddress = (listen: string): string => (listen.startsWith(':') ? `0.0.0.0${listen}` : listen);
