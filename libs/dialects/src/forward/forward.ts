import type { EdgeConfig, ForwardConfig } from '#usher/config';
import { digest, type Decision } from '#usher/domain';
import { headerSafe } from '../cesbo/redirect.js';
import { BadRequest, type Dialect, type DialectType, type EdgeAnswer, type EdgeFacts } from '../dialect.js';
import type { EdgeQuestion, EdgeRequest } from '../dialect.js';
import { withToken } from '../viewer-query.js';
import { Credentials, isShown, type Shown } from './credentials.js';
import { Places, folderEnd, isPlain, type Place } from './place.js';
import { PROXIES, type Proxy, type ViewerRequest } from './proxies.js';

/** What is longer is read anew each time. */
const MAX_REMEMBERED = 4_096;
const BEARER = /^bearer +([^\s]+)\s*$/i;
const NO_BODY = { status: 200, headers: {} } as const;
const REFUSED: EdgeAnswer = { status: 403, headers: {} };

/** How one edge speaks it. */
class Forward implements Dialect {
  private readonly config: ForwardConfig;
  private readonly proxy: Proxy;
  private readonly places: Places;
  private readonly credentials: Credentials;
  private readonly publishes: ReadonlySet<string>;
  readonly ttlHeader: string | undefined;
  readonly deadline: number | undefined;

  constructor({ forward }: EdgeConfig) {
    this.config = forward;
    this.proxy = PROXIES[forward.proxy];
    this.places = new Places(forward.paths);
    this.credentials = new Credentials(forward);
    this.publishes = new Set(forward.publish);
    this.ttlHeader = this.proxy.ttlHeader;
    this.deadline = this.proxy.deadline;
  }

  readonly parse = (request: EdgeRequest): EdgeQuestion => {
    let viewer: ViewerRequest;
    try {
      viewer = this.viewerOf(request);
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error;
      return misunderstood(this.proxy.misunderstood, error.message);
    }
    const { path, query } = split(viewer.uri);
    const place = this.places.of(path);
    if (place === undefined) return { kind: 'answered', answer: REFUSED };
    if (place.isFound && this.passes(viewer.method)) return { kind: 'answered', answer: NO_BODY };
    return {
      kind: 'check',
      facts: this.factsOf(viewer, place, this.credentials.of(query, request.headers), request),
    };
  };

  /** By heart only what is a plain request to play: anything else takes the long way. */
  readonly gist = (request: EdgeRequest): string | undefined => {
    const viewer = this.viewerIn(request);
    if (viewer === undefined || viewer.uri.length > MAX_REMEMBERED) return undefined;
    const { method, uri, ip, host } = viewer;
    if (method !== 'GET' && (method !== 'HEAD' || this.config.head === 'allow')) return undefined;
    const mark = uri.indexOf('?');
    const path = mark === -1 ? uri : uri.slice(0, mark);
    if (!isPlain(path)) return undefined;
    const isFound = this.places.find(path);
    // The login is in the path, of which more counts than the folder.
    if (!isFound && this.places.hasLogins) return undefined;
    const to = isFound ? this.places.to : folderEnd(path);
    const from = isFound ? this.places.from : 0;
    const { headers } = request;
    const shown = this.credentials.of(mark === -1 ? '' : uri.slice(mark + 1), headers);
    // None of these holds a line end: no two requests have one gist.
    return `${path.slice(0, to)}\n${from}\n${shown.query}\n${ip}\n${host}\n${shown.authorization}\n${shown.token}\n${shown.cookie}\n${text(headers['referer'])}\n${text(headers['user-agent'])}`;
  };

  readonly render = (decision: Decision, facts: EdgeFacts): EdgeAnswer => {
    const headers: Record<string, string> = {};
    if (this.ttlHeader !== undefined) headers[this.ttlHeader] = String(cacheable(decision, facts));
    if (decision.allow) {
      if (decision.user) headers['X-UserId'] = headerSafe(decision.user);
      return { status: 200, headers };
    }
    return this.denial(decision, headers);
  };

  private denial(
    { status, verbatim, because, redirect }: Decision,
    headers: Record<string, string>,
  ): EdgeAnswer {
    const { redirects, unavailable } = this.proxy;
    if (redirect !== undefined) headers[redirects ? 'Location' : 'X-Usher-Location'] = redirect.address;
    if (verbatim === true && status !== undefined) return { status, headers };
    if (because !== undefined) return { status: unavailable, headers };
    if (redirect !== undefined && redirects) return { status: 302, headers };
    return { status: status === 401 ? 401 : 403, headers };
  }

  private viewerOf(request: EdgeRequest): ViewerRequest {
    if (request.path !== '' && this.config.proxy !== 'envoy') {
      throw new BadRequest('something stands behind the address: only Envoy asks so (forward.proxy)');
    }
    return this.proxy.viewerOf(request, this.config.hops);
  }

  private viewerIn(request: EdgeRequest): ViewerRequest | undefined {
    try {
      return this.viewerOf(request);
    } catch {
      return undefined;
    }
  }

  private passes(method: string): boolean {
    return method === 'OPTIONS'
      ? this.config.preflight === 'allow'
      : method === 'HEAD' && this.config.head === 'allow';
  }

  private factsOf(
    { method, ip, host }: ViewerRequest,
    place: Place,
    shown: Shown,
    request: EdgeRequest,
  ): EdgeFacts {
    const { channel, path, login = path } = place;
    const userAgent = text(request.headers['user-agent']);
    const token = shown.token || BEARER.exec(shown.authorization)?.[1] || '';
    const hasCookie = shown.cookie !== '';
    const isPublisher = this.publishes.has(method);
    return {
      // The viewer's own word: it names his session on this channel, and nobody else's.
      givenSessionId: hasCookie ? digest('cookie', shown.cookie, channel, path) : '',
      channel,
      ip,
      path: login,
      place: path,
      userAgent,
      host,
      origin: '',
      query: withToken(shown.query, token),
      ...(token !== '' && { token }),
      ...(shown.authorization !== '' && { authorization: shown.authorization }),
      ...(isPublisher && { action: 'publish' as const }),
      referer: text(request.headers['referer']),
      ...(!isPublisher && {
        visit: {
          who: hasCookie ? `cookie\n${shown.cookie}` : `${ip}\n${userAgent}`,
          isShown: isShown(shown),
        },
      }),
    };
  }
}

/** Seconds that the proxy's cache may hold it: a stand-in, or what a token changes at once, it may not. */
function cacheable(
  { allow, because, verbatim, edgeTtl = 0 }: Decision,
  { visit, action }: EdgeFacts,
): number {
  if (verbatim === true || action === 'publish') return 0;
  if (allow) return edgeTtl;
  return because === undefined && visit?.isShown === true ? edgeTtl : 0;
}

function misunderstood(status: 400 | 403, complaint: string): EdgeQuestion {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8' };
  return { kind: 'answered', answer: { status, headers, body: `${complaint}\n` }, complaint };
}

const text = (value: string | string[] | undefined): string => (typeof value === 'string' ? value : '');

function split(uri: string): { path: string; query: string } {
  const mark = uri.indexOf('?');
  return mark === -1 ? { path: uri, query: '' } : { path: uri.slice(0, mark), query: uri.slice(mark + 1) };
}

/**
 * Forward authentication: a proxy asks about every request of a viewer, playlists and segments alike, and lets it through
 * on 200. nginx auth_request, HAProxy's auth-request.lua, Traefik ForwardAuth, Caddy forward_auth, Envoy ext_authz (HTTP).
 * Lets nobody in when it cannot reach us. Sources: docs/dialects/forward.md.
 */
export const forward: DialectType = {
  name: 'forward',
  habit: 'per-request',
  opensWhenAlone: false,
  methods: 'any',
  hasAddress: true,
  hasPaths: true,
  isRemembered: false,
  tellsTtl: true,
  speak: (edge) => new Forward(edge),
};
