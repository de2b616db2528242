import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from './problem.js';
import { loadConfig, type LoadedConfig } from './load-config.js';

const CORE = `redis: { url: redis://127.0.0.1:6379 }
gateway: { listen: 0.0.0.0:1064 }
edges:
  astra-1: { dialect: astra, control: { url: http://10.0.0.11:8000, user: usher, password: … } }
backends:
  portal: { type: ministra, url: http://portal.example.com/stalker_portal, failMode: open, timeout: 1500ms }
  billing: { type: http, url: https://auth.example.com/check, credential: reusable }
groups:
  both: { policy: any, backends: [portal, billing], partial: known }
routes:
  - { match: { channel: "promo-*" }, access: public }
  - { match: { edge: astra-1 }, backend: portal }
  - { group: both }
`;

const BACKEND = 'backends: { portal: { type: http, url: http://10.0.0.2/check } }\n';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'usher-config-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

function load(text?: string, env: Record<string, string> = {}): LoadedConfig {
  if (text !== undefined) writeFileSync(join(cwd, 'usher.yaml'), text);
  return loadConfig({ env, cwd });
}

function problems(text?: string, env: Record<string, string> = {}): readonly string[] {
  try {
    load(text, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  it('loads the core example, units read and defaults filled in', () => {
    const { config, path, warnings } = load(CORE);
    expect(path).toBe(join(cwd, 'usher.yaml'));
    expect(warnings).toEqual([]);
    expect(config.backends.portal).toMatchObject({ timeout: 1500, failMode: { kind: 'open' }, maxCalls: 64 });
    expect(config.routes.map(({ access, backend, group }) => access ?? backend ?? group)).toEqual([
      'public',
      'portal',
      'both',
    ]);
    expect(config.gateway.deadline).toBe(2000);
    expect(config.data).toBe(join(cwd, 'data'));
  });

  it('needs no file: then everything is its default', () => {
    const { config, path } = load();
    expect(path).toBeUndefined();
    expect(config.gateway.listen).toBe('0.0.0.0:1064');
    expect(config.backends).toEqual({});
  });

  it('takes an empty file, and sections that are all commented out', () => {
    expect(load('').config.gateway.listen).toBe('0.0.0.0:1064');
    expect(load('gateway:\n  # listen: 0.0.0.0:1\nedges:\n').config.edges).toEqual({});
  });

  it('reads the file that the command line names, else the one that USHER_CONFIG names, else usher.yaml', () => {
    for (const level of ['info', 'warn', 'error']) {
      writeFileSync(join(cwd, `${level === 'info' ? 'usher' : level}.yaml`), `log: { level: ${level} }`);
    }
    const level = (config?: string, env: Record<string, string> = {}) =>
      loadConfig({ argv: { config }, env, cwd }).config.log.level;
    expect(level()).toBe('info');
    expect(level(undefined, { USHER_CONFIG: 'warn.yaml' })).toBe('warn');
    expect(level('error.yaml', { USHER_CONFIG: 'warn.yaml' })).toBe('error');
    expect(level(join(cwd, 'error.yaml'))).toBe('error');
    expect(() => level('none.yaml')).toThrow('none.yaml: there is no such file');
  });

  it('reads JSON too', () => {
    expect(load(JSON.stringify({ log: { level: 'warn' } })).config.log.level).toBe('warn');
  });

  it('is frozen, and a name that nobody configured finds nothing', () => {
    const { config } = load(CORE);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.backends.portal!.breaker)).toBe(true);
    expect(Object.isFrozen(config.routes[0]!.match)).toBe(true);
    for (const name of ['constructor', '__proto__', 'toString']) {
      expect((config.edges as Record<string, unknown>)[name]).toBeUndefined();
    }
  });

  it.each([
    [
      'an unknown key',
      `gateway:\n  lisen: 0.0.0.0:1`,
      /^usher\.yaml:2: gateway\.lisen: unknown key; did you mean "listen"\? Allowed: listen, .*deadline/,
    ],
    [
      'an unknown section',
      `\n\nbakends: {}`,
      /^usher\.yaml:3: bakends: unknown key; did you mean "backends"\? Allowed: mode, /,
    ],
    [
      'a number without unit',
      `gateway:\n\n  deadline: 30`,
      /^usher\.yaml:3: gateway\.deadline: expected a duration with its unit, such as 1500ms.*, not 30$/,
    ],
    [
      'too short a duration',
      `gateway: { deadline: 1ms }`,
      /^usher\.yaml:1: gateway\.deadline: expected .*at least 50ms.*, not "1ms"$/,
    ],
    ['a longer duration than a timer has', `gateway: { grace: 25d }`, /at most 24d/],
    [
      'a wrong choice',
      `mode: enforced`,
      /^usher\.yaml:1: mode: did you mean enforce\? expected enforce, observe, not "enforced"$/,
    ],
    [
      'text for a number',
      `gateway: { cacheEntries: many }`,
      /gateway\.cacheEntries: expected a number, not "many"/,
    ],
    [
      'a fraction',
      `gateway: { cacheEntries: 100.5 }`,
      /gateway\.cacheEntries: expected a whole number, not 100\.5/,
    ],
    ['too small a number', `gateway: { cacheEntries: 1 }`, /expected a number of at least 100, not 1/],
    ['text for a truth', `gateway: { answerHeaders: sure }`, /expected true or false, not "sure"/],
    ['a map for a list', `gateway: { proxies: { a: b } }`, /gateway\.proxies: expected a list/],
    [
      'a bad network',
      `gateway:\n  proxies:\n    - 10.0.0.1\n    - 10.0.0.0/33`,
      /^usher\.yaml:4: gateway\.proxies\[1\]: expected an IP address or a network/,
    ],
    ['a port over 65535', `gateway: { listen: 0.0.0.0:99999 }`, /a port of at most 65535/],
    [
      'a missing key',
      `backends:\n  portal:\n    type: http`,
      /^usher\.yaml:2: backends\.portal\.url: missing; expected text/,
    ],
    [
      'a wrong kind of backend',
      `backends:\n  portal:\n    type: minstra\n    url: http://a/`,
      /^usher\.yaml:3: backends\.portal\.type: did you mean ministra\? expected ministra, iptvportal, smarty, http, flussonic, xtream, not "minstra"/,
    ],
    [
      'a wrong fail mode',
      `backends:\n  portal: { type: http, url: http://a/, failMode: opened }`,
      /failMode: expected open, closed, stale, or \{stale: true, then: open\}, not "opened"/,
    ],
    ['a name with a slash', `edges: { a/b: {} }`, /edges\.a\/b: expected a name of 1 to 64 letters/],
    ['a name like a folder', `edges: { "..": {} }`, /expected a name of 1 to 64 letters/],
    [
      'no regular expression',
      `${BACKEND}routes:\n  - match: { query: { token: "[" } }\n    backend: portal`,
      /^usher\.yaml:3: routes\[0\]\.match\.query\.token: expected a regular expression, such as/,
    ],
    ['no YAML', `gateway: {`, /^usher\.yaml:1: /],
    ['a key twice', `log: { level: info }\nlog: { level: warn }`, /^usher\.yaml:2: .*unique/],
  ])('refuses %s, with file and line', (_, text, expected) => {
    expect(problems(text)).toEqual([expect.stringMatching(expected)]);
  });

  it.each([
    [
      'a route to no backend',
      `${BACKEND}routes:\n  - { backend: portl }`,
      /^usher\.yaml:3: routes\[0\]\.backend: there is no backend "portl"; did you mean "portal"\?/,
    ],
    [
      'two routes of one name',
      `${BACKEND}routes:\n  - { name: tv, match: { edge: a }, backend: portal }\n  - { name: tv, backend: portal }`,
      /^usher\.yaml:4: routes\[1\]\.name: "tv" is another route’s name already/,
    ],
    [
      'a route to no group',
      `${BACKEND}routes:\n  - { group: all }`,
      /^usher\.yaml:3: routes\[0\]\.group: there is no group "all": none is configured/,
    ],
    [
      'a group of nobody',
      `${BACKEND}groups: { all: { backends: [portal, other] } }\nroutes: [{ group: all }]`,
      /groups\.all\.backends\[1\]: there is no backend "other"/,
    ],
    [
      'a member twice',
      `${BACKEND}groups: { all: { backends: [portal, portal] } }\nroutes: [{ group: all }]`,
      /"portal" is in the group twice/,
    ],
    [
      'one name for a backend and a group',
      `${BACKEND}groups: { portal: { backends: [portal] } }\nroutes: [{ group: portal }]`,
      /groups\.portal: a backend has this name too/,
    ],
    [
      'a route with two targets',
      `${BACKEND}routes: [{ backend: portal, access: public }]`,
      /routes\[0\]: a route has exactly one of backend, group, access; it has backend and access/,
    ],
    ['a route with none', `${BACKEND}routes: [{ match: { channel: a } }]`, /it has none/],
    [
      'several backends and no route',
      `backends:\n  a: { type: http, url: http://a/ }\n  b: { type: http, url: http://b/ }`,
      /^usher\.yaml:1: routes: none, .*a, b\. Write for instance "routes: \[\{ backend: a \}\]"/,
    ],
    [
      'one address for two edges',
      'edges:\n  a: { addresses: [10.0.0.1] }\n  b: { addresses: [10.0.0.1/32] }',
      /^usher\.yaml:3: edges\.b\.addresses\[0\]: 10\.0\.0\.1\/32 names the edge "a" already/,
    ],
    [
      'one network for two edges',
      'edges:\n  a: { addresses: [2001:db8::1/32] }\n  b: { addresses: ["2001:db8:0::/32"] }',
      /names the edge "a" already/,
    ],
    [
      'Sentinels of a Cluster',
      'redis: { cluster: true, sentinels: [b:26379] }',
      /redis\.cluster: a Cluster has no Sentinels/,
    ],
    ['a Cluster without addresses', 'redis: { cluster: true }', /redis\.cluster: a Cluster needs redis\.url/],
    [
      'several addresses of no Cluster',
      'redis: { url: "redis://a,redis://b" }',
      /redis\.url: several addresses need redis\.cluster: true/,
    ],
    [
      'a channel opened by the viewer’s host',
      'routes: [{ match: { host: free.example.com }, access: public }]',
      /routes\[0\]\.match\.host: the viewer says this himself.*Allowed: path, channel, edge/,
    ],
    [
      'a channel opened by the viewer’s query',
      'routes: [{ match: { query: { free: true } }, access: public }]',
      /routes\[0\]\.match\.query: the viewer says this himself/,
    ],
    [
      'answers shared between users',
      'backends: { a: { type: http, url: http://a/, irrelevant: [ip, query] } }',
      /backends\.a\.irrelevant\[1\]: .*two users could share one grant/,
    ],
    [
      'a certificate file that is not there',
      'redis: { url: rediss://a, ca: none.pem }',
      /^usher\.yaml:1: redis\.ca: there is no file .*none\.pem/,
    ],
  ])('refuses %s', (_, text, expected) => {
    expect(problems(text)).toEqual([expect.stringMatching(expected)]);
  });

  it('tells all problems at once', () => {
    expect(
      problems('mode: x\ngateway: { lisen: 1, deadline: 5 }', { USHER_LOG_LEVELS: 'info' }),
    ).toHaveLength(4);
  });

  it('never shows a secret that is wrong', () => {
    const text = `secret: hunter2\nredis: { url: "hunter2://u:hunter2@h" }\nedges: { a: { secret: "hunter2/" } }
backends: { b: { type: http, url: "ftp://u:hunter2@h/" } }`;
    expect(problems(text)).toHaveLength(4);
    expect(problems(text).join()).not.toContain('hunter2');
  });

  it('warns of a backend that no route leads to, of a route that is never reached, of certificates not checked', () => {
    const text = `backends:
  a: { type: http, url: https://a/, insecure: true }
  b: { type: http, url: http://b/ }
routes:
  - { backend: a }
  - { match: { channel: x }, backend: a }`;
    expect(load(text).warnings).toEqual([
      'usher.yaml:3: backends.b: no route leads to it: it is never asked',
      'usher.yaml:6: routes[1]: never reached: routes[0] matches every check',
      expect.stringMatching(/^usher\.yaml:2: backends\.a\.insecure: its certificate is not checked/),
    ]);
  });
});

it('warns of routes that leave a gap', () => {
  const routes = (last: string) => `backends: { a: { type: http, url: "http://a/" } }
routes:
  - { match: { channel: "x*" }, backend: a }
${last}`;
  expect(load(routes('')).warnings).toEqual([expect.stringMatching(/routes: .*some checks match none/)]);
  expect(load(routes('  - { backend: a }')).warnings).toEqual([]);
});

describe('webhooks', () => {
  const webhook = (more: string): string => `${BACKEND}webhooks: [{ name: one, url: http://h/, ${more} }]`;

  it('have all but name, address and secret by default; one secret or several', () => {
    const { webhooks } = load(webhook('secret: sixteen characters or more')).config;
    expect(webhooks).toMatchObject([
      {
        secret: ['sixteen characters or more'],
        events: ['session.*'],
        timeout: 10_000,
        retryFor: 86_400_000,
      },
    ]);
    const two = 'secret: [sixteen characters or more, whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw], events: ["*"]';
    expect(load(webhook(two)).config.webhooks[0]!.secret).toHaveLength(2);
  });

  it('are refused where a secret, a type or a name cannot be', () => {
    expect(problems(webhook('secret: short')).join()).toContain('at least 16');
    expect(problems(webhook('secret: whsec_not*base64*at*all')).join()).toContain('base64');
    expect(problems(webhook('secret: sixteen characters or more, events: [Session]')).join()).toContain(
      'session.*',
    );
    const entry = '{ name: one, url: http://h/, secret: sixteen characters or more }';
    expect(problems(`${BACKEND}webhooks: [${entry}, ${entry}]`).join()).toContain('has this name too');
  });
});

describe('a configuration of auth-proxy', () => {
  it('is run with its own meaning, and the start says so', () => {
    const { config, warnings } = load(
      JSON.stringify({
        listen: ':2064',
        backend: ['http://mw1.example.com/check?own=1', 'http://mw2.example.com'],
      }),
    );
    expect(config.gateway).toMatchObject({
      listen: '0.0.0.0:2064',
      edgesFrom: ['0.0.0.0/0', '::/0'],
      answerTtl: { deny: 0 },
    });
    expect(
      Object.values(config.backends).map(({ type, url, failMode }) => [type, url, failMode.kind]),
    ).toEqual([
      ['http', 'http://mw1.example.com/check', 'closed'],
      ['http', 'http://mw2.example.com/', 'closed'],
    ]);
    expect(config.groups.all).toMatchObject({ policy: 'any', partial: 'deny' });
    expect(config.routes).toMatchObject([{ group: 'all', failMode: { kind: 'closed' }, overload: 'deny' }]);
    expect(warnings[0]).toMatch(/^usher\.yaml: this is a configuration of auth-proxy/);
  });

  it('listens on its own default port', () => {
    expect(load('{"backend": ["http://a/"]}').config.gateway.listen).toBe('0.0.0.0:1064');
  });

  it('is refused, with the line, where it would refuse everybody', () => {
    expect(problems('{"backend": []}')).toEqual([expect.stringMatching(/^usher\.yaml:1: backend: empty/)]);
    expect(problems('{"backend": [\n"mw1"]}')).toEqual([
      expect.stringMatching(/^usher\.yaml:2: backend\[0\]: /),
    ]);
  });
});

describe('the environment', () => {
  it('lies over the file', () => {
    const { config } = load(CORE, { USHER_BACKENDS__PORTAL__TIMEOUT: '2s', REDIS_URL: 'redis://other' });
    expect(config.backends.portal).toMatchObject({ timeout: 2000, type: 'ministra' });
    expect(config.redis.url).toBe('redis://other');
  });

  it('suffices without a file', () => {
    const { config } = load(undefined, {
      USHER_BACKENDS__PORTAL__TYPE: 'http',
      USHER_BACKENDS__PORTAL__URL: 'http://portal/check',
    });
    expect(Object.keys(config.backends)).toEqual(['portal']);
  });

  it('is named where it is wrong, or where something is missing in what it began', () => {
    expect(problems(CORE, { USHER_BACKENDS__PORTAL__TIMEOUT: '2' })).toEqual([
      expect.stringMatching(
        /^USHER_BACKENDS__PORTAL__TIMEOUT: backends\.portal\.timeout: expected a duration/,
      ),
    ]);
    expect(problems(CORE, { USHER_BACKENDS__NEW__TYPE: 'http' })).toEqual([
      expect.stringMatching(/^USHER_BACKENDS__NEW__TYPE: backends\.new\.url: missing/),
    ]);
  });

  it('reads a secret from a file beside the configuration', () => {
    writeFileSync(join(cwd, 'secret'), 'a secret of some length\n');
    expect(load('', { USHER_SECRET_FILE: 'secret' }).config.secret).toEqual(['a secret of some length']);
  });
});
