import type { Config, RouteConfig } from '#usher/config';
import {
  queryParameter,
  type Check,
  type FailMode,
  type Mode,
  type OverloadPolicy,
  type RuleChain,
  type Rules,
} from '#usher/domain';
import picomatch from 'picomatch';

/** Longer words match no pattern: a viewer's words never keep a regular expression busy. */
const MAX_MATCHED_VALUE = 1024;
const MAX_MATCHED_NAME = 256;

/** As Astra does by itself. */
const OPEN: FailMode = { kind: 'open' };
/** Whoever may publish on trust shows his picture to everybody. */
const CLOSED: FailMode = { kind: 'closed' };

/** Whom to ask about a check, and what if nobody can be asked. */
export interface Route {
  /** By which it can be switched. */
  readonly name?: string;
  /** The backend or group; undefined: nobody is asked. */
  readonly target: string | undefined;
  /** Everybody may play it whom no rule refuses. */
  readonly isPublic?: true;
  /** What the gateway decides itself, before anybody is asked. */
  readonly rules?: RuleChain;
  /** The backends behind the target, in configured order. */
  readonly backends: readonly string[];
  readonly mode: Mode;
  readonly failMode: FailMode;
  /** Undefined: as the edge's dialect would do without us. */
  readonly overload: OverloadPolicy | undefined;
  /** So many devices of one user at once; undefined: as the backend says. */
  readonly maxDevices?: number;
  /** No configured route matches. */
  readonly isGap?: true;
}

/** What a route is chosen by; known before the session id is. */
export type Routed = Pick<Check, 'edge' | 'channel' | 'path' | 'host' | 'query' | 'action'>;

type Matcher = (check: Routed) => boolean;

/** No route matches: our configuration's gap, which the overload policy answers. */
const GAP: Route = Object.freeze({
  target: undefined,
  backends: [],
  mode: 'enforce',
  failMode: OPEN,
  overload: undefined,
  isGap: true,
});
/** But for the viewer's own words, host and query, a route would match: by them nobody gets in on trust. */
const EVADED: Route = Object.freeze({ ...GAP, overload: 'deny' });

const NO_RULES: Pick<Rules, 'ofRoute'> = Object.freeze({ ofRoute: () => undefined });

/** Compiles the configured routes. The first that matches counts. */
export function compileRoutes(
  config: Config,
  rules: Pick<Rules, 'ofRoute'> = NO_RULES,
): (check: Routed) => Route {
  const names = Object.keys(config.backends);
  const configured: RouteConfig[] =
    config.routes.length > 0 || names.length !== 1 ? config.routes : [{ match: {}, backend: names[0] }];
  const routes = configured.map((route, at) => ({
    ...matchers(route),
    route: compiled(route, config, rules.ofRoute(at)),
  }));
  return (check) => {
    const found = routes.find(({ byFacts, byWords }) => byFacts(check) && byWords(check));
    return found?.route ?? (routes.some(({ byFacts }) => byFacts(check)) ? EVADED : GAP);
  };
}

function compiled(route: RouteConfig, config: Config, rules: RuleChain | undefined): Route {
  const target = route.backend ?? route.group;
  const backends =
    route.backend === undefined ? (config.groups[route.group ?? '']?.backends ?? []) : [route.backend];
  const first = config.backends[backends[0] ?? ''];
  return Object.freeze({
    name: route.name,
    target,
    backends,
    mode: route.mode ?? config.mode,
    failMode: route.failMode ?? (route.match.action === 'publish' ? CLOSED : (first?.failMode ?? OPEN)),
    // Where nobody but rules decides nobody gets in past them.
    overload: route.overload ?? first?.overload ?? ((target ?? route.access) ? undefined : 'deny'),
    ...(route.access === 'public' && { isPublic: true as const }),
    ...(rules !== undefined && { rules }),
    ...(route.maxDevices !== undefined && { maxDevices: route.maxDevices }),
  });
}

/** What the edge says (`byFacts`) is told apart from what the viewer says himself (`byWords`). */
function matchers({ match, access }: RouteConfig): { byFacts: Matcher; byWords: Matcher } {
  const facts: Matcher[] = [];
  const words: Matcher[] = [];
  const { action = 'play', edge, channel, host, path, query } = match;
  facts.push((check) => (check.action ?? 'play') === action);
  if (edge !== undefined) facts.push(nameMatcher(edge, 'edge'));
  if (channel !== undefined) facts.push(nameMatcher(channel, 'channel'));
  if (path !== undefined) facts.push(pathMatcher(path));
  if (host !== undefined) words.push(nameMatcher(host, 'host'));
  for (const [name, wanted] of Object.entries(query ?? {})) words.push(parameterMatcher(name, wanted));
  const isPublicPart = access === 'public' && (path ?? channel) !== undefined;
  if (isPublicPart) words.push((check) => !climbs(check.path));
  return { byFacts: allOf(facts), byWords: allOf(words) };
}

const allOf =
  (tests: readonly Matcher[]): Matcher =>
  (check) =>
    tests.every((test) => test(check));

/** It may lead out of where it seems to lead: an edge that resolves `/promo/../paid` plays what is not public. */
const climbs = (path: string): boolean => /(?:^|[/\\])\.\.?(?:[/\\;]|$)|%(?:25)*(?:2e|2f|5c)/i.test(path);

const hasWildcard = (glob: string): boolean => /[*?[\]{}]/.test(glob);

/** Names are no paths: a star spans slashes too. */
function nameMatcher(glob: string, field: 'edge' | 'channel' | 'host'): Matcher {
  if (!hasWildcard(glob)) return (check) => check[field] === glob;
  const isMatch = picomatch(glob, { dot: true, bash: true, nonegate: true });
  return (check) => check[field].length <= MAX_MATCHED_NAME && isMatch(check[field]);
}

/** Without a wildcard a path is a prefix. */
function pathMatcher(glob: string): Matcher {
  if (!hasWildcard(glob)) return (check) => check.path.startsWith(glob);
  const isMatch = picomatch(glob, { dot: true, nonegate: true });
  return (check) => check.path.length <= MAX_MATCHED_VALUE && isMatch(check.path);
}

function parameterMatcher(name: string, wanted: boolean | string): Matcher {
  if (typeof wanted === 'boolean') {
    return (check) => (queryParameter(check.query, name) !== undefined) === wanted;
  }
  const shape = new RegExp(wanted);
  return (check) => {
    const value = queryParameter(check.query, name);
    return value !== undefined && value.length <= MAX_MATCHED_VALUE && shape.test(value);
  };
}
