import type { Problem } from './problem.js';
import type { JwtRuleConfig, RulesConfig } from './rules-schema.js';
import { JWT_HMAC } from './rules-schema.js';
import type { Config, RouteConfig } from './schema.js';

/** With fewer characters a secret can be found by trying, from one token alone. */
const GUESSABLE = 16;

/** What is wrong with the rules of routes. */
export function ruleProblems({ routes }: Config): Problem[] {
  return routes.flatMap(({ rules }, at) =>
    rules === undefined ? [] : problemsOf(rules, ['routes', at, 'rules']),
  );
}

function problemsOf(rules: RulesConfig, path: Problem['path']): Problem[] {
  const { ip, countries, userAgents, users, securetoken, jwt } = rules;
  const problems: Problem[] = [];
  const say = (at: readonly string[], message: string) => problems.push({ path: [...path, ...at], message });
  if (Object.values(rules).every((rule) => rule === undefined))
    say([], 'there is none; write one, or leave it out');
  if (ip !== undefined && ip.file === undefined && isEmpty(ip.allow, ip.deny, ip.pass)) {
    say(['ip'], 'no address in it; write allow, deny, pass or file');
  }
  if (countries !== undefined && countries.unknown === 'pass' && isEmpty(countries.allow, countries.deny)) {
    say(['countries'], 'no country in it; write allow or deny');
  }
  if (userAgents !== undefined && isEmpty(userAgents.allow, userAgents.deny)) {
    say(['userAgents'], 'none in it; write allow or deny');
  }
  if (users !== undefined && users.file === undefined && isEmpty(users.accounts)) {
    say(['users'], 'nobody in it; write accounts or file');
  }
  if (securetoken?.flavour === 'hmac' && securetoken.secrets.some(isGuessable)) {
    say(['securetoken', 'secrets'], `a secret of hmac has at least ${GUESSABLE} characters`);
  }
  if (jwt !== undefined) problems.push(...jwtProblems(jwt, [...path, 'jwt']));
  return problems;
}

function jwtProblems(jwt: JwtRuleConfig, path: Problem['path']): Problem[] {
  const sources = (['url', 'file', 'secrets'] as const).filter((key) => jwt[key] !== undefined);
  if (sources.length !== 1) {
    const found = sources.length === 0 ? 'it has none' : `it has ${sources.join(' and ')}`;
    return [{ path, message: `exactly one of url, file, secrets says where the keys are; ${found}` }];
  }
  const isHmac = (algorithm: string): boolean => (JWT_HMAC as readonly string[]).includes(algorithm);
  const wrong = jwt.algorithms.filter((algorithm) => isHmac(algorithm) !== (sources[0] === 'secrets'));
  if (wrong.length === 0) return [];
  const message =
    sources[0] === 'secrets'
      ? `${wrong.join(', ')} need public keys; with secrets write algorithms: [HS256]`
      : `${wrong.join(', ')} need secrets: with public keys anybody could sign with them`;
  return [{ path: [...path, 'algorithms'], message }];
}

/** What is allowed but probably not meant. */
export function ruleWarnings(config: Config): Problem[] {
  return config.routes.flatMap((route, at) => warningsOf(route, ['routes', at, 'rules'], config));
}

function warningsOf(route: RouteConfig, path: Problem['path'], config: Config): Problem[] {
  const { rules } = route;
  if (rules === undefined) return [];
  const { ip, referers, securetoken, jwt, otherwise } = rules;
  const warnings: Problem[] = [];
  const say = (at: readonly string[], message: string) => warnings.push({ path: [...path, ...at], message });
  if (securetoken !== undefined && securetoken.flavour !== 'hmac' && securetoken.secrets.some(isGuessable)) {
    say(['securetoken', 'secrets'], `shorter than ${GUESSABLE} characters: it can be found by trying`);
  }
  if (referers?.none === 'deny' && !someEdgeNamesReferers(config)) {
    say(['referers', 'none'], 'no edge here passes a referer on, so everybody is refused');
  }
  if (jwt?.url !== undefined && !isPrivateWay(jwt.url)) {
    say(['jwt', 'url'], 'fetched without TLS: whoever is in between can let anyone in');
  }
  const mayPass = ip !== undefined && (ip.pass.length > 0 || ip.file !== undefined);
  if (hasTarget(route) && otherwise === 'deny' && !mayPass) {
    say(['otherwise'], 'deny: the backend behind these rules is never asked');
  }
  if (!hasTarget(route) && otherwise !== 'pass' && !canLetIn(rules)) say([], 'none of them lets anybody in');
  return warnings;
}

/** Whether anybody is asked, or anything public, behind the rules. */
export function hasTarget({ backend, group, access }: RouteConfig): boolean {
  return (backend ?? group ?? access) !== undefined;
}

function canLetIn({ ip, securetoken, users, jwt }: RulesConfig): boolean {
  const byAddress = ip !== undefined && (ip.allow.length > 0 || ip.file !== undefined);
  return byAddress || [securetoken, users, jwt].some((rule) => rule !== undefined);
}

function someEdgeNamesReferers({ edges }: Config): boolean {
  return Object.values(edges).some(({ dialect }) => !['astra', 'alta'].includes(dialect));
}

function isPrivateWay(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

const isGuessable = (secret: string): boolean => secret.length < GUESSABLE;

const isEmpty = (...lists: readonly (readonly unknown[])[]): boolean =>
  lists.every((list) => list.length === 0);
