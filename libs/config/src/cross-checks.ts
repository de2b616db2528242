import ipaddr from 'ipaddr.js';
import { backendProblems, backendWarnings } from './backend-checks.js';
import { controlProblems, controlWarnings } from './control-checks.js';
import { dialectProblems } from './dialect-checks.js';
import { limitWarnings } from './limit-checks.js';
import type { Problem } from './problem.js';
import { ruleProblems, ruleWarnings } from './rule-checks.js';
import type { Config, RouteConfig } from './schema.js';
import { suggest } from './suggest.js';

/** The name of the token that Usher makes by itself. */
const ADMIN = 'admin';

/** What no single setting shows: names that lead nowhere, and settings that contradict each other. */
export function crossCheck(config: Config): Problem[] {
  return [
    ...redisProblems(config),
    ...groupProblems(config),
    ...config.routes.flatMap((route, at) => routeProblems(route, at, config)),
    ...missingRoutes(config),
    ...sharedAddresses(config),
    ...sharedGrants(config),
    ...backendProblems(config),
    ...sharedWebhookNames(config),
    ...outageProblems(config),
    ...controlProblems(config),
    ...dialectProblems(config),
    ...ruleProblems(config),
    ...sharedTokens(config),
  ];
}

const GAP =
  'the last one has a match, so some checks match none: the overload policy answers them. Let the last route have none';

/** What is allowed but probably not meant. */
export function crossWarnings(config: Config): Problem[] {
  const used = new Set(
    config.routes.flatMap(({ backend, group }) => [backend, ...(config.groups[group ?? '']?.backends ?? [])]),
  );
  const unused =
    config.routes.length === 0 ? [] : Object.keys(config.backends).filter((name) => !used.has(name));
  const all = config.routes.findIndex(({ match }) => Object.keys(match).length === 0);
  const isReached = ({ match }: RouteConfig): boolean => match.action === 'publish';
  const hasGap = config.routes.length > 0 && all === -1;
  const insecure = Object.keys(config.backends).filter((name) => config.backends[name]!.insecure);
  return [
    ...controlWarnings(config),
    ...limitWarnings(config),
    ...backendWarnings(config),
    ...ruleWarnings(config),
    ...unused.map((name) => ({
      path: ['backends', name],
      message: 'no route leads to it: it is never asked',
    })),
    ...config.routes.flatMap((route, at) =>
      all === -1 || at <= all || isReached(route)
        ? []
        : [{ path: ['routes', at], message: `never reached: routes[${all}] matches every check` }],
    ),
    ...(hasGap ? [{ path: ['routes'], message: GAP }] : []),
    ...insecure.map((name) => ({
      path: ['backends', name, 'insecure'],
      message: 'its certificate is not checked: whoever is in between can let anyone in',
    })),
    ...(config.redis.insecure
      ? [{ path: ['redis', 'insecure'], message: 'its certificate is not checked' }]
      : []),
  ];
}

function redisProblems({ redis }: Config): Problem[] {
  const problems: Problem[] = [];
  const say = (key: string, message: string) => problems.push({ path: ['redis', key], message });
  if (redis.cluster && redis.sentinels.length > 0)
    say('cluster', 'a Cluster has no Sentinels; keep one of them');
  if (redis.cluster && redis.url === undefined && redis.sentinels.length === 0) {
    say('cluster', 'a Cluster needs redis.url with the addresses of some of its nodes');
  }
  if (!redis.cluster && redis.url?.includes(',')) say('url', 'several addresses need redis.cluster: true');
  return problems;
}

function groupProblems({ backends, groups }: Config): Problem[] {
  return Object.entries(groups).flatMap(([name, group]) => [
    ...(Object.hasOwn(backends, name)
      ? [{ path: ['groups', name], message: 'a backend has this name too; give the group another one' }]
      : []),
    ...group.backends.flatMap((member, at) => {
      const path = ['groups', name, 'backends', at];
      if (!Object.hasOwn(backends, member)) return [{ path, message: noSuch('backend', member, backends) }];
      return group.backends.indexOf(member) < at
        ? [{ path, message: `"${member}" is in the group twice` }]
        : [];
    }),
  ]);
}

/** The kinds of middleware that can tell a publisher from a player. */
const KNOW_PUBLISHERS: ReadonlySet<string> = new Set(['http']);

/** A portal that knows nothing but players would let every subscriber publish. */
function publishProblems(route: RouteConfig, path: readonly (string | number)[], config: Config): Problem[] {
  const members = [route.backend, ...(config.groups[route.group ?? '']?.backends ?? [])];
  return members.flatMap((name) => {
    const type = config.backends[name ?? '']?.type;
    if (type === undefined || KNOW_PUBLISHERS.has(type)) return [];
    const message = `${name} is a ${type}, which knows only who may play. Allowed: a backend of type http (it is asked with X-Usher-Action: publish)`;
    return [{ path: [...path, route.backend === undefined ? 'group' : 'backend'], message }];
  });
}

function routeProblems(route: RouteConfig, at: number, config: Config): Problem[] {
  const path = ['routes', at];
  const targets = (['backend', 'group', 'access'] as const).filter((key) => route[key] !== undefined);
  if (targets.length > 1 || (targets.length === 0 && route.rules === undefined)) {
    const found = targets.length === 0 ? 'it has none, and no rules' : `it has ${targets.join(' and ')}`;
    return [{ path, message: `a route has exactly one of backend, group, access; ${found}` }];
  }
  const problems: Problem[] = [];
  if (route.name !== undefined && config.routes.findIndex(({ name }) => name === route.name) < at) {
    problems.push({ path: [...path, 'name'], message: `"${route.name}" is another route’s name already` });
  }
  if (route.backend !== undefined && !Object.hasOwn(config.backends, route.backend)) {
    problems.push({ path: [...path, 'backend'], message: noSuch('backend', route.backend, config.backends) });
  }
  if (route.group !== undefined && !Object.hasOwn(config.groups, route.group)) {
    problems.push({ path: [...path, 'group'], message: noSuch('group', route.group, config.groups) });
  }
  if (route.match.action === 'publish') problems.push(...publishProblems(route, path, config));
  if (route.access === 'public') {
    for (const key of ['host', 'query'] as const) {
      if (route.match[key] === undefined) continue;
      problems.push({
        path: [...path, 'match', key],
        message:
          'the viewer says this himself, so it cannot make a channel public. Allowed: path, channel, edge',
      });
    }
  }
  return problems;
}

function noSuch(kind: 'backend' | 'group', name: string, among: Record<string, unknown>): string {
  const names = Object.keys(among);
  const meant = suggest(name, names);
  if (names.length === 0) return `there is no ${kind} "${name}": none is configured`;
  return `there is no ${kind} "${name}"${meant ? `; did you mean "${meant}"?` : '.'} Configured: ${names.join(', ')}`;
}

function missingRoutes({ backends, groups, routes }: Config): Problem[] {
  const names = Object.keys(backends);
  const group = Object.keys(groups)[0];
  if (routes.length > 0 || (names.length < 2 && group === undefined)) return [];
  const last = group === undefined ? `backend: ${names[0]}` : `group: ${group}`;
  return [
    {
      path: ['routes'],
      message: `none, so it is not said whom to ask: ${[...names, ...Object.keys(groups)].join(', ')}. Write for instance "routes: [{ ${last} }]", the more special ones first`,
    },
  ];
}

function sharedAddresses({ edges }: Config): Problem[] {
  const owner = new Map<string, string>();
  return Object.entries(edges).flatMap(([name, edge]) =>
    edge.addresses.flatMap((written, at) => {
      const key = canonical(written);
      const other = owner.get(key);
      owner.set(key, name);
      if (other === undefined) return [];
      return [
        { path: ['edges', name, 'addresses', at], message: `${written} names the edge "${other}" already` },
      ];
    }),
  );
}

/** `10.1.2.3/8` and `10.0.0.0/8` are one network; `10.0.0.1` and `10.0.0.1/32` one address. */
function canonical(written: string): string {
  const [ip, bits] = written.split('/');
  const parsed = ipaddr.process(ip!);
  const length = parsed.kind() === 'ipv4' ? 32 : 128;
  const whole = `${parsed.toString()}/${bits ?? length}`;
  const network =
    parsed.kind() === 'ipv4'
      ? ipaddr.IPv4.networkAddressFromCIDR(whole)
      : ipaddr.IPv6.networkAddressFromCIDR(whole);
  return `${network.toNormalizedString()}/${bits ?? length}`;
}

/** Settings about outages that would do nothing. */
function outageProblems({ backends, edges }: Config): Problem[] {
  const canCut = Object.values(edges).some((edge) => edge.control !== undefined);
  return Object.entries(backends).flatMap(([name, { afterOutage, credential, failOpenBudget }]) => [
    ...(afterOutage === 'cut' && credential === 'once'
      ? [
          {
            path: ['backends', name, 'afterOutage'],
            message: 'cut asks about a session again, which needs credential: reusable',
          },
        ]
      : []),
    ...(afterOutage === 'recycle' && credential === 'reusable'
      ? [
          {
            path: ['backends', name, 'afterOutage'],
            message:
              'recycle is for credential: once; cut asks first, and cuts only whom the backend refuses',
          },
        ]
      : []),
    ...(afterOutage === 'recycle' && !canCut
      ? [
          {
            path: ['backends', name, 'afterOutage'],
            message: 'recycle needs an edge that can be told to cut: edges.<name>.control',
          },
        ]
      : []),
    ...(failOpenBudget !== undefined &&
    failOpenBudget.viewers === undefined &&
    failOpenBudget.viewerMinutes === undefined
      ? [
          {
            path: ['backends', name, 'failOpenBudget'],
            message: 'a budget has viewers, viewerMinutes, or both',
          },
        ]
      : []),
  ]);
}

/** An answer that is shared without regard to the query is shared between people. */
function sharedGrants({ backends }: Config): Problem[] {
  return Object.entries(backends).flatMap(([name, { irrelevant }]) => {
    const at = irrelevant.indexOf('query');
    if (at === -1) return [];
    const message =
      'the query holds the credential: without it two users could share one grant. Allowed: ip, channel, path, host, userAgent';
    return [{ path: ['backends', name, 'irrelevant', at], message }];
  });
}

/** A token is one person's or program's: the audit log goes by its name. */
function sharedTokens({ control: { tokens } }: Config): Problem[] {
  return tokens.flatMap(({ name, token }, at) => {
    const before = tokens.slice(0, at);
    const path = ['control', 'tokens', at];
    if (name === ADMIN)
      return [{ path: [...path, 'name'], message: `"${ADMIN}" is the holder of data/admin-token` }];
    if (before.some((other) => other.name === name))
      return [{ path: [...path, 'name'], message: `"${name}" is there twice` }];
    return before.some((other) => other.token === token)
      ? [{ path: [...path, 'token'], message: 'somebody else has the same token' }]
      : [];
  });
}

function sharedWebhookNames({ webhooks }: Config): Problem[] {
  return webhooks.flatMap(({ name }, at) => {
    const first = webhooks.findIndex((other) => other.name === name);
    const path = ['webhooks', at, 'name'];
    return first < at ? [{ path, message: `webhooks[${first}] has this name too; give it another one` }] : [];
  });
}
