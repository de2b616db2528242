import type { Config, RouteConfig } from '#usher/config';
import { queryParameter, type Check, type FailMode, type Mode, type OverloadPolicy } from '#usher/domain';
import picomatch from 'picomatch';

/** A longer value matches no pattern: a viewer's words never keep a regular expression busy. */
const MAX_MATCHED_VALUE = 1024;

/** As Astra does by itself. */
const OPEN: FailMode = { kind: 'open' };

/** Whom to ask about a check, and what if nobody can be asked. */
export interface Route {
  /** The backend or group; undefined: access is public. */
  readonly target: string | undefined;
  /** The backends behind the target, in configured order. */
  readonly backends: readonly string[];
  readonly mode: Mode;
  readonly failMode: FailMode;
  /** Undefined: as the edge's dialect would do without us. */
  readonly overload: OverloadPolicy | undefined;
}

/** What a route is chosen by; known before the session id is. */
export type Routed = Pick<Check, 'edge' | 'channel' | 'path' | 'host' | 'query'>;

type Matcher = (check: Routed) => boolean;

/** Compiles the configured routes. The first that matches counts; undefined: none does. */
export function compileRoutes(config: Config): (check: Routed) => Route | undefined {
  const names = Object.keys(config.backends);
  const configured: RouteConfig[] =
    config.routes.length > 0 || names.length !== 1 ? config.routes : [{ match: {}, backend: names[0] }];
  const routes = configured.map((route) => ({ matches: matcher(route), route: compiled(route, config) }));
  return (check) => routes.find(({ matches }) => matches(check))?.route;
}

function compiled(route: RouteConfig, config: Config): Route {
  const target = route.backend ?? route.group;
  const backends =
    route.backend === undefined ? (config.groups[route.group ?? '']?.backends ?? []) : [route.backend];
  const first = config.backends[backends[0] ?? ''];
  return Object.freeze({
    target,
    backends,
    mode: route.mode ?? config.mode,
    failMode: route.failMode ?? first?.failMode ?? OPEN,
    overload: route.overload ?? first?.overload,
  });
}

function matcher({ match }: RouteConfig): Matcher {
  const tests: Matcher[] = [];
  const { edge, channel, host, path, query } = match;
  if (edge !== undefined) tests.push(nameMatcher(edge, 'edge'));
  if (channel !== undefined) tests.push(nameMatcher(channel, 'channel'));
  if (host !== undefined) tests.push(nameMatcher(host, 'host'));
  if (path !== undefined) tests.push(pathMatcher(path));
  for (const [name, wanted] of Object.entries(query ?? {})) tests.push(parameterMatcher(name, wanted));
  return (check) => tests.every((test) => test(check));
}

const hasWildcard = (glob: string): boolean => /[*?[\]{}]/.test(glob);

/** Names are no paths: a star spans slashes too. */
function nameMatcher(glob: string, field: 'edge' | 'channel' | 'host'): Matcher {
  if (!hasWildcard(glob)) return (check) => check[field] === glob;
  const isMatch = picomatch(glob, { dot: true, bash: true, nonegate: true });
  return (check) => isMatch(check[field]);
}

/** Without a wildcard a path is a prefix. */
function pathMatcher(glob: string): Matcher {
  if (!hasWildcard(glob)) return (check) => check.path.startsWith(glob);
  const isMatch = picomatch(glob, { dot: true, nonegate: true });
  return (check) => isMatch(check.path);
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
