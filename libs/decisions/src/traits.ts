import type { BackendConfig, Config } from '#usher/config';
import {
  derivedSessionId,
  fingerprintOf,
  panelLogin,
  queryParameter,
  unescaped,
  viewerKeyOf,
  type Check,
  type FingerprintParts,
  type Identity,
} from '#usher/domain';
import type { Route } from './routes.js';

/** Where portals look for one. */
const TOKEN = 'token';

/** What the ladder has to know of a backend. */
export interface BackendTraits {
  readonly name: string;
  /** Users are namespaced by it. */
  readonly namespace: string;
  /** `once`: never asked again about an allowed session. */
  readonly credential: 'once' | 'reusable';
  readonly credentialParameter: string | undefined;
  /** It goes by a user and a password, in the path or the query (xtream). */
  readonly hasLogins: boolean;
  readonly device: string | undefined;
  /** Ms that a call to it may take. */
  readonly timeout: number;
}

export type TraitsByBackend = ReadonlyMap<string, BackendTraits>;

/** The configured backends' traits. */
export function traitsOf(config: Config): TraitsByBackend {
  return new Map(Object.entries(config.backends).map(([name, backend]) => [name, traits(name, backend)]));
}

function traits(name: string, backend: BackendConfig): BackendTraits {
  return Object.freeze({
    name,
    namespace: backend.namespace ?? name,
    credential: backend.credential,
    credentialParameter: backend.credentialParameter,
    hasLogins: backend.type === 'xtream',
    device: backend.device,
    timeout: backend.timeout,
  });
}

/** A Check that lacks only its session id. */
export type Unidentified = Omit<Check, 'sessionId' | 'sessionGiven'> & Pick<FingerprintParts, 'place'>;

export interface Identified {
  readonly check: Check;
  readonly identity: Identity;
  readonly credential: string;
}

/** Names the session, and says who this probably is. Of a group, the first member that says what it goes by counts. */
export function identify(
  facts: Unidentified,
  givenSessionId: string,
  route: Route | undefined,
  backends: TraitsByBackend,
): Identified {
  const members = (route?.backends ?? []).map((name) => backends.get(name));
  const device = members.find((member) => member?.device)?.device;
  const credential = credentialOf(facts, members);
  const sessionGiven = givenSessionId !== '';
  const fingerprint = fingerprintOf(facts, credential, sessionGiven);
  const sessionId = sessionGiven ? givenSessionId : derivedSessionId(facts.dialect, facts.edge, fingerprint);
  const viewerKey = viewerKeyOf(
    facts,
    device === undefined ? undefined : queryParameter(facts.query, device),
  );
  return { check: checkOf(facts, sessionId, sessionGiven), identity: { fingerprint, viewerKey }, credential };
}

/** What the viewer shows to these backends: to the first that says what it goes by, else all that he shows. */
export function credentialOf(
  facts: Pick<Check, 'path' | 'query' | 'token' | 'authorization'>,
  backends: readonly (BackendTraits | undefined)[],
): string {
  const backend = backends.find((one) => one?.hasLogins || one?.credentialParameter);
  const { hasLogins, credentialParameter } = backend ?? {};
  if (hasLogins === true) {
    const login = panelLogin(facts);
    // The same however it is written, in whatever channel's path.
    if (login !== undefined) return `${login.user.length}:${login.user}${login.password}`;
  }
  // An empty one names nobody: the backend may go by something else in the query.
  const named = credentialParameter === undefined ? '' : queryParameter(facts.query, credentialParameter);
  return named || shown(facts);
}

/**
 * The token that the edge names apart, and beside it one in the query: some backends read the one, some the other. Else all.
 */
function shown({ query, token, authorization }: Pick<Check, 'query' | 'token' | 'authorization'>): string {
  if (token !== undefined && token !== '') {
    const inQuery = queryParameter(query, TOKEN) ?? '';
    return inQuery === '' || unescaped(inQuery) === token ? token : `${token}\n${inQuery}`;
  }
  return authorization === undefined ? query : `${query}\n${authorization}`;
}

/** Field by field: as copies of each other checks cost several times as much (measured). */
function checkOf(facts: Unidentified, sessionId: string, sessionGiven: boolean): Check {
  const { id, dialect, edge, channel, ip, path, userAgent, host, origin, query } = facts;
  const { action, token, authorization, referer, protocol, dvr } = facts;
  return {
    id,
    dialect,
    edge,
    sessionId,
    sessionGiven,
    channel,
    ip,
    path,
    userAgent,
    host,
    origin,
    query,
    action,
    token,
    authorization,
    referer,
    protocol,
    dvr,
  };
}
