import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type LoadedConfig } from './load-config.js';
import { maskConfig } from './mask.js';
import { ConfigError } from './problem.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'usher-rules-'));
  writeFileSync(join(cwd, 'list'), '');
});
afterEach(() => rmSync(cwd, { recursive: true }));

const BACKEND = 'backends: { portal: { type: http, url: http://10.0.0.2/check } }\n';
const SECRET = 'sixteen characters';

function load(rules: string, target = ''): LoadedConfig {
  const route = `routes:\n  - ${target}\n    rules: ${rules}\n`.replace('- \n    ', '- ');
  writeFileSync(join(cwd, 'usher.yaml'), BACKEND + route);
  return loadConfig({ env: {}, cwd });
}

function problems(rules: string, target = ''): readonly string[] {
  try {
    load(rules, target);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('rules of a route', () => {
  it('may stand alone, or in front of a backend, a group or what is public', () => {
    expect(load(`{ securetoken: { secrets: ${SECRET} } }`).config.routes[0]!.rules).toEqual({
      securetoken: {
        flavour: 'astra',
        secrets: [SECRET],
        parameter: 'token',
        ip: 'required',
        leeway: 30_000,
      },
    });
    expect(problems('{ ip: { deny: [192.0.2.0/24] } }', 'backend: portal')).toEqual([]);
    expect(problems('{ ip: { deny: [192.0.2.0/24] } }', 'access: public')).toEqual([]);
  });

  it('must be there where nobody is asked', () => {
    writeFileSync(join(cwd, 'usher.yaml'), `${BACKEND}routes:\n  - match: { channel: a }\n`);
    expect(() => loadConfig({ env: {}, cwd })).toThrow(
      'usher.yaml:3: routes[0]: a route has exactly one of backend, group, access; it has none, and no rules',
    );
  });

  it('have files that start where the configuration does', () => {
    const { config } = load(
      '{ ip: { file: list }, countries: { database: list, deny: [DE] }, users: { file: list }, jwt: { file: list } }',
    );
    const { ip, countries, users, jwt } = config.routes[0]!.rules!;
    for (const file of [ip!.file, countries!.database, users!.file, jwt!.file]) {
      expect(file).toBe(join(cwd, 'list'));
    }
  });

  it.each([
    ['{}', 'rules: there is none'],
    ['{ ip: {} }', 'rules.ip: no address in it'],
    ['{ ip: { deny: [10.0.0.0/33] } }', 'rules.ip.deny[0]: expected an IP address or a network'],
    ['{ ip: { file: missing } }', 'rules.ip.file: there is no file'],
    ['{ countries: { database: list } }', 'rules.countries: no country in it'],
    [
      '{ countries: { database: list, deny: [de] } }',
      'rules.countries.deny[0]: expected two capital letters',
    ],
    ['{ countries: { database: missing, deny: [DE] } }', 'rules.countries.database: there is no file'],
    ['{ userAgents: {} }', 'rules.userAgents: none in it'],
    ['{ referers: { hosts: ["https://a.example"] } }', 'rules.referers.hosts[0]: expected a host'],
    ['{ users: {} }', 'rules.users: nobody in it'],
    ['{ users: { accounts: ["ann:hunter2"] } }', 'rules.users.accounts[0]: expected a hash'],
    ['{ securetoken: { secrets: short } }', 'rules.securetoken.secrets: expected a secret of at least 8'],
    [
      '{ securetoken: { flavour: hmac, secrets: fifteen letters } }',
      'rules.securetoken.secrets: a secret of hmac has at least 16',
    ],
    ['{ jwt: {} }', 'rules.jwt: exactly one of url, file, secrets says where the keys are; it has none'],
    ['{ jwt: { file: list, url: "https://a/" } }', 'it has url and file'],
    ['{ jwt: { file: list, algorithms: [none] } }', 'rules.jwt.algorithms[0]: expected RS256'],
    ['{ jwt: { file: list, algorithms: [RS256, HS256] } }', 'rules.jwt.algorithms: HS256 need secrets'],
    ['{ jwt: { secrets: 12345678901234567890123456789012 } }', 'rules.jwt.secrets: expected a secret'],
    [
      '{ jwt: { secrets: "12345678901234567890123456789012" } }',
      'rules.jwt.algorithms: RS256, ES256, EdDSA need public keys',
    ],
    ['{ jtw: {} }', 'rules.jtw: unknown key; did you mean "jwt"?'],
  ])('%s is refused with its line', (rules, expected) => {
    const [problem, ...more] = problems(rules);
    expect(more).toEqual([]);
    expect(problem).toMatch(/^usher\.yaml:3: routes\[0\]\./);
    expect(problem).toContain(expected);
  });

  it.each([
    ['', '{ securetoken: { secrets: eightcha } }', 'can be found by trying'],
    ['', '{ ip: { deny: [192.0.2.0/24] } }', 'none of them lets anybody in'],
    ['backend: portal', '{ ip: { deny: [192.0.2.0/24] }, otherwise: deny }', 'is never asked'],
    ['backend: portal', '{ referers: { hosts: [a.example], none: deny } }', 'everybody is refused'],
    ['backend: portal', '{ jwt: { url: "http://keys.example/" } }', 'fetched without TLS'],
  ])('with %s, %s are probably not meant', (target, rules, expected) => {
    const { warnings } = load(rules, target);
    expect(warnings.filter((line) => line.includes('routes[0].rules'))).toEqual([
      expect.stringContaining(expected),
    ]);
  });

  it('are shown without their secrets', () => {
    const hash = `ann:$sha256$${Buffer.alloc(32).toString('base64')}`;
    const { config } = load(
      `{ securetoken: { secrets: [${SECRET}] }, users: { accounts: ["${hash}"] }, jwt: { url: "https://me:hunter2@a/" } }`,
    );
    const shown = JSON.stringify(maskConfig(config));
    for (const secret of [SECRET, 'sha256', 'hunter2']) expect(shown).not.toContain(secret);
    expect(shown).toContain('"flavour":"astra"');
  });
});
