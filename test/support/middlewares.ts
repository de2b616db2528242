import type { IncomingMessage } from 'node:http';
import type { PortalBehaviour } from '#usher/testing';

/** Tokens that a middleware knows, and whose they are. */
export type Tokens = ReadonlyMap<string, string>;

/** Ministra (Stalker), `server/api/chk_flussonic_tmp_link.php`: a look into the cache, 403 or 200 with four headers. */
export function ministra(tokens: Tokens): PortalBehaviour {
  return script('/stalker_portal/server/api/chk_flussonic_tmp_link.php', (query) => {
    const user = tokens.get(query.get('token') ?? '');
    if (user === undefined) return { status: 403 };
    const facts = { 'X-AuthDuration': '36000', 'X-Unique': 'true', 'X-Max-Sessions': '10' };
    return { status: 200, headers: { ...facts, 'X-UserId': user } };
  });
}

/** IPTVportal, Cesbo's endpoint: the status is the answer. Its parameters are not published. */
export function iptvportal(tokens: Tokens): PortalBehaviour {
  return script('/auth/arescrypt/', (query) => ({
    status: tokens.has(query.get('token') ?? '') ? 200 : 403,
  }));
}

/** Smarty's StreamServiceTokenCheck, at its worst: 200 for everything, the answer stands in `error`. */
export function smarty(tokens: Tokens): PortalBehaviour {
  return script('/tvmiddleware/api/streamservice/token/check/', (query) => {
    const content = tokens.get(query.get('token') ?? '');
    const error = content === undefined ? 1 : (query.get('name') ?? content) === content ? 0 : 2;
    return { status: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ error }) };
  });
}

/** An endpoint with the contract of Astra's "HTTP Request" that names its viewers. */
export function endpoint(tokens: Tokens): PortalBehaviour {
  return script('/check', (query) => {
    const user = tokens.get(query.get('token') ?? '');
    return user === undefined ? { status: 403 } : { status: 200, headers: { 'X-Session-Name': user } };
  });
}

/** Speaks Flussonic's on_play and reads nothing but the token; as TVIP TMS is said to, by its documented address. */
export function flussonic(tokens: Tokens): PortalBehaviour {
  return script('/api/drm/auth_token', (query) => {
    const user = tokens.get(query.get('token') ?? '');
    return user === undefined ? { status: 403 } : { status: 200, headers: { 'X-UserId': user } };
  });
}

/** An Xtream panel: 200 for everything, numbers as text. */
export function xtream(passwords: Tokens): PortalBehaviour {
  return script('/player_api.php', (query) => {
    const username = query.get('username') ?? '';
    const isHis = passwords.get(username) === query.get('password');
    const account = { username, auth: 1, status: 'Active', exp_date: null, max_connections: '1' };
    return { status: 200, body: JSON.stringify({ user_info: isHis ? account : { auth: 0 } }) };
  });
}

interface ScriptAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Anything but a GET of exactly this path is a 404, as of a web server in front of it. */
function script(path: string, answer: (query: URLSearchParams) => ScriptAnswer): PortalBehaviour {
  return (request: IncomingMessage, response) => {
    const url = new URL(request.url ?? '/', 'http://portal');
    const isIt = request.method === 'GET' && url.pathname === path;
    const { status, headers, body = '' } = isIt ? answer(url.searchParams) : { status: 404 };
    response.writeHead(status, headers).end(body);
  };
}
