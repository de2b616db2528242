import { BadRequest, type EdgeFacts, type EdgeRequest } from '../dialect.js';
import { textIn, type JsonBody } from '../json-body.js';
import { hasParameters, viewerQuery, withToken } from '../viewer-query.js';

const MAX_SESSION_ID = 256;
const MAX_PATH = 2_048;

/** What a player showed, wherever: a secret. */
interface Credentials {
  readonly token?: string;
  /** Basic, put together again. */
  readonly authorization?: string;
}

/**
 * Who wants to play or publish. A path is a stream's name, slashes and all: it is the channel. `id` is null for what has
 * no session: recordings, and an HLS index page before its session.
 * @param asksCredentials a player that shows nothing is asked for user and password before a backend is asked about him
 */
export function mediamtxFacts(body: JsonBody, request: EdgeRequest, asksCredentials: boolean): EdgeFacts {
  const path = textIn(body, 'path', MAX_PATH);
  if (path === '') throw new BadRequest('path is missing');
  const given = viewerQuery(textIn(body, 'query'));
  const credentials = credentialsIn(body);
  const action = textIn(body, 'action');
  const id = textIn(body, 'id', MAX_SESSION_ID);
  const protocol = textIn(body, 'protocol');
  const shows = credentials.token ?? credentials.authorization;
  return {
    givenSessionId: id,
    channel: path,
    ip: textIn(body, 'ip') || request.remoteAddress,
    path: `/${path}`,
    userAgent: textIn(body, 'userAgent'),
    host: '',
    origin: '',
    query: withToken(given, credentials.token ?? ''),
    protocol,
    ...credentials,
    ...(action === 'publish' ? { action } : {}),
    lacksCredentials: asksCredentials && shows === undefined && !hasParameters(given),
  };
}

/** MediaMTX fills `token` with the password where nobody gave a token (internal/auth, Request.Credentials). */
function credentialsIn(body: JsonBody): Credentials {
  const user = textIn(body, 'user');
  const password = textIn(body, 'password');
  const token = textIn(body, 'token');
  if (user === '') return token === '' && password === '' ? {} : { token: token || password };
  const login = Buffer.from(`${user}:${password}`, 'latin1').toString('base64');
  const authorization = `Basic ${login}`;
  return token === '' || token === password ? { authorization } : { token, authorization };
}
