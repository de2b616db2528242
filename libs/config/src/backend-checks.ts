import type { Problem } from './problem.js';
import type { BackendConfig, Config } from './schema.js';

/** Settings of one kind of backend that mean nothing to another, or let two viewers share a grant. */
export function backendProblems({ backends }: Config): Problem[] {
  return Object.entries(backends).flatMap(([name, backend]) =>
    problemsOf(backend).map(([setting, message]) => ({ path: ['backends', name, setting], message })),
  );
}

function problemsOf({ type, ...backend }: BackendConfig): [string, string][] {
  const problems: [string, string][] = [];
  if (type !== 'flussonic' && backend.params.length > 0) {
    problems.push(['params', 'is for type flussonic; elsewhere write them into the query of url']);
  }
  if (type !== 'xtream') {
    if (backend.activeConnections === 'refuse') problems.push(['activeConnections', 'is for type xtream']);
    return problems;
  }
  if (backend.irrelevant.includes('path')) {
    problems.push([
      'irrelevant',
      'the path holds user and password: without it two users could share one grant. Nothing has to be irrelevant here: it is asked about the account alone',
    ]);
  }
  if (backend.credentialParameter !== undefined) {
    problems.push([
      'credentialParameter',
      'the credential of an xtream is user and password, wherever they stand',
    ]);
  }
  return problems;
}

/** What a Flussonic's question says by itself (libs/backends, on-play.ts). */
const FIELDS =
  'name proto ip request_type request_number session_id stream_clients total_clients token qs user_agent referer host dvr';
const SENT: ReadonlySet<string> = new Set(FIELDS.split(' '));

/** What is allowed but probably not meant. */
export function backendWarnings({ backends }: Config): Problem[] {
  return Object.entries(backends).flatMap(([name, { type, url }]) => {
    const twice =
      type === 'flussonic' ? [...new URL(url).searchParams.keys()].filter((key) => SENT.has(key)) : [];
    if (twice.length === 0) return [];
    const message = `${twice.join(', ')}: sent twice, and it is up to the endpoint which counts; params sends another value instead`;
    return [{ path: ['backends', name, 'url'], message }];
  });
}
