import fc from 'fast-check';
import { readEnvironment, variableOf, type EnvironmentSettings } from './environment.js';
import { configSchema } from './schema.js';
import { shapeOf, type SettingPath } from './shape.js';

type AnySchema = Parameters<typeof shapeOf>[0];

function read(env: Record<string, string>, files: Record<string, string> = {}): EnvironmentSettings {
  const readFile = (path: string): string => {
    if (files[path] === undefined) throw new Error(`there is no file ${path}`);
    return files[path];
  };
  return readEnvironment({ env, readFile }, configSchema);
}

const given = (env: Record<string, string>, files?: Record<string, string>): unknown =>
  Object.fromEntries(read(env, files).assignments.map(({ path, value }) => [path.join('/'), value]));

/** Every setting of the schema; in a record under the given name. */
function* settings(schema: AnySchema, name: string, path: SettingPath = []): Generator<SettingPath> {
  if (path.length > 0) yield path;
  const shape = shapeOf(schema);
  for (const [key, inner] of shape.keys) yield* settings(inner, name, [...path, key]);
  if (shape.kind === 'record') yield* settings(shape.item!, name, [...path, name]);
}

describe('readEnvironment', () => {
  it('has a variable for every setting, and never one for two', () => {
    const paths = [...settings(configSchema, 'astra-1')];
    expect(paths.length).toBeGreaterThan(80);
    const variables = new Set<string>();
    for (const path of paths) {
      const variable = variableOf(path, configSchema);
      expect(variables).not.toContain(variable);
      variables.add(variable);
      expect(read({ [variable]: '{}' })).toMatchObject({ problems: [], assignments: [{ path, variable }] });
    }
  });

  it('has a variable for every setting of a record under any name', () => {
    const names = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,20}$/);
    fc.assert(
      fc.property(names, (name) => {
        const path = ['edges', name, 'control', 'password'];
        const { assignments } = read({ [variableOf(path, configSchema)]: 'x' });
        expect(assignments.map((one) => one.path)).toEqual([path]);
      }),
    );
  });

  it('never throws and never invents a setting, whatever the environment holds', () => {
    const variable = fc.stringMatching(/^(GATEWAY|BACKENDS__A__|EDGES)?[A-Z_x0-9]{0,12}$/);
    fc.assert(
      fc.property(fc.dictionary(variable, fc.string({ minLength: 1 })), (values) => {
        const env = Object.fromEntries(
          Object.entries(values).map(([name, value]) => [`USHER_${name}`, value]),
        );
        const { assignments } = read(env);
        for (const one of assignments) expect(env).toHaveProperty(variableOf(one.path, configSchema));
      }),
    );
  });

  it('reads names, lists, maps, numbers and truths', () => {
    expect(
      given({
        USHER_GATEWAY_LISTEN: '0.0.0.0:2064',
        USHER_GATEWAY_ANSWER_TTL_DENY: '5s',
        USHER_GATEWAY_CACHE_ENTRIES: '500',
        USHER_GATEWAY_ANSWER_HEADERS: 'false',
        USHER_GATEWAY_PROXIES: '10.0.0.1, 10.0.0.2',
        USHER_EDGES__ASTRA_1__ADDRESSES: '[10.0.0.3]',
        USHER_BACKENDS__PORTAL__URL: 'http://portal/',
        USHER_BACKENDS__PORTAL__FAIL_MODE: '{stale: true, then: open}',
        USHER_GROUPS__BOTH: '{backends: [portal, billing]}',
        USHER_ROUTES: '[{match: {channel: "promo-*"}, access: public}, {group: both}]',
      }),
    ).toEqual({
      'gateway/listen': '0.0.0.0:2064',
      'gateway/answerTtl/deny': '5s',
      'gateway/cacheEntries': 500,
      'gateway/answerHeaders': false,
      'gateway/proxies': ['10.0.0.1', '10.0.0.2'],
      'edges/astra-1/addresses': ['10.0.0.3'],
      'backends/portal/url': 'http://portal/',
      'backends/portal/failMode': { stale: true, then: 'open' },
      'groups/both': { backends: ['portal', 'billing'] },
      routes: [{ match: { channel: 'promo-*' }, access: 'public' }, { group: 'both' }],
    });
  });

  it('leaves text as it is: a password may look like a number or hold a #', () => {
    for (const password of ['12345678', '0x10', 'null', 'a #b: c', '"quoted"', '{a']) {
      expect(given({ USHER_EDGES__A__CONTROL_PASSWORD: password })).toEqual({
        'edges/a/control/password': password,
      });
    }
  });

  it('sets a whole map before what is set within it', () => {
    const { assignments } = read({
      USHER_BACKENDS__A__URL: 'http://b/',
      USHER_BACKENDS: '{a: {url: http://a/}}',
    });
    expect(assignments.map(({ variable }) => variable)).toEqual(['USHER_BACKENDS', 'USHER_BACKENDS__A__URL']);
  });

  it('knows REDIS_URL, and refuses it beside another that says the same', () => {
    expect(given({ REDIS_URL: 'redis://a' })).toEqual({ 'redis/url': 'redis://a' });
    expect(read({ REDIS_URL: 'redis://a', USHER_REDIS_URL: 'redis://b' }).problems).toEqual([
      'USHER_REDIS_URL: REDIS_URL sets the same; keep one of them',
    ]);
  });

  it('reads secrets from files, several lines as several secrets', () => {
    const files = { '/run/one': 'one secret here\n', '/run/two': 'first\r\nsecond\n', '/run/none': '\n' };
    expect(given({ USHER_SECRET_FILE: '/run/one' }, files)).toEqual({ secret: 'one secret here' });
    expect(given({ USHER_SECRET_FILE: '/run/two' }, files)).toEqual({ secret: ['first', 'second'] });
    expect(given({ REDIS_URL_FILE: '/run/one' }, files)).toEqual({ 'redis/url': 'one secret here' });
    expect(read({ USHER_SECRET_FILE: '/run/none' }, files).problems).toEqual([
      'USHER_SECRET_FILE: /run/none is empty',
    ]);
    expect(read({ USHER_SECRET_FILE: '/run/no' }, files).problems).toEqual([
      'USHER_SECRET_FILE: there is no file /run/no',
    ]);
    expect(read({ USHER_LOG_LEVEL_FILE: '/run/one' }, files).problems).toEqual([
      expect.stringMatching(/only secrets and addresses are read from files/),
    ]);
  });

  it.each([
    ['USHER_GATEWAY_LISTN', /^USHER_GATEWAY_LISTN: unknown setting; did you mean USHER_GATEWAY_LISTEN\?$/],
    ['USHER_BACKENDS__PORTAL__ULR', /unknown setting; did you mean USHER_BACKENDS__PORTAL__URL\?$/],
    ['USHER_WHATEVER_ELSE_THIS_IS', /unknown setting. Allowed: USHER_MODE, /],
    ['USHER_BACKENDS__portal__URL', /"portal" is no name; a name is written in capitals, - as _/],
    ['USHER_GATEWAY__LISTEN', /USHER_GATEWAY has no names in it/],
    ['USHER_BACKENDS__A__URL__B', /unknown setting/],
  ])('refuses %s', (variable, expected) => {
    expect(read({ [variable]: 'x' }).problems).toEqual([expect.stringMatching(expected)]);
  });

  it('never shows a value that is no YAML', () => {
    const { problems } = read({ USHER_SECRET: '[hunter2' });
    expect(problems).toEqual([expect.stringMatching(/^USHER_SECRET: this is not YAML/)]);
    expect(problems.join()).not.toContain('hunter2');
  });

  it('passes over what is empty, what is not ours, and what Kubernetes says about a service called usher', () => {
    expect(
      read({
        USHER_LOG_LEVEL: '',
        USHER_CONFIG: 'usher.yaml',
        PATH: '/usr/bin',
        USHER_PORT: 'tcp://10.0.0.1:1064',
        USHER_SERVICE_HOST: '10.0.0.1',
        USHER_SERVICE_PORT_HTTP: '1064',
        USHER_GATEWAY_PORT_1064_TCP_ADDR: '10.0.0.1',
      }),
    ).toEqual({ assignments: [], problems: [] });
  });
});
