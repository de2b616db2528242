import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig, type Config } from '#usher/config';
import type { RuleInput } from '#usher/domain';
import { eventually, ManualClock } from '#usher/testing';
import { createHash } from 'node:crypto';
import { Chain } from './chain.js';
import { mmdb } from './countries/for-tests.js';
import { createRules, type RunningRules } from './create-rules.js';
import { asked, KeptLog } from './for-tests.js';
import { allow, deny, PASS, type CredentialRule, type Filter } from './rule.js';
import { Trouble } from './trouble.js';
import { accountLine } from './users/account-line.js';

const NOW = 1_767_225_600;
const SECRET = 'sixteen characters';

let cwd: string;
let log: KeptLog;
const running: RunningRules[] = [];
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'usher-rules-'));
  log = new KeptLog();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((rules) => rules.close()));
  await rm(cwd, { recursive: true });
});

const file = (name: string, text: string | Buffer) => writeFile(join(cwd, name), text);

async function config(routes: string): Promise<Config> {
  await file(
    'usher.yaml',
    `backends: { portal: { type: http, url: http://10.0.0.2/check } }\nroutes:\n${routes}`,
  );
  return loadConfig({ env: {}, cwd }).config;
}

async function rules(routes: string, lookEvery = 60_000): Promise<RunningRules> {
  const made = await createRules(await config(routes), {
    clock: new ManualClock(NOW * 1000),
    log,
    lookEvery,
  });
  running.push(made);
  return made;
}

const decide = async (of: RunningRules, facts: Partial<RuleInput> = {}, route = 0) => {
  const said = await of.ofRoute(route)!.decide(asked(facts));
  return said.kind === 'deny' ? said.reason : said.kind === 'allow' ? `allow ${said.rule}` : said.kind;
};

function securetoken(ip = '192.0.2.7'): string {
  const end = NOW + 60;
  const hash = createHash('sha1').update(`a001${ip}${NOW}${end}${SECRET}s`).digest('hex');
  return `${hash}-s-${end}-${NOW}`;
}

describe('the rules of a route', () => {
  it('are looked at in their order, and the first that decides counts', async () => {
    await file('countries.mmdb', mmdb({ '192.0.2.0/24': { country: { iso_code: 'DE' } } }));
    await file('users', accountLine({ name: 'ann', secret: 'right', kind: 'password' }));
    const all = await rules(`  - backend: portal
    rules:
      otherwise: deny
      users: { file: users }
      securetoken: { secrets: ${SECRET} }
      referers: { hosts: [tv.example] }
      userAgents: { deny: [bad] }
      countries: { database: countries.mmdb, deny: [DE] }
      ip: { allow: [192.0.2.1], deny: [192.0.2.2], pass: [192.0.2.3, 10.0.0.0/8] }
`);
    const bad = { userAgent: 'bad', referer: 'https://evil.example/' };
    expect(await decide(all, { ...bad, ip: '192.0.2.1' })).toBe('allow ip');
    expect(await decide(all, { ...bad, ip: '192.0.2.2' })).toBe('rule-ip-denied');
    expect(await decide(all, { ...bad, ip: '192.0.2.3' })).toBe('pass');
    expect(await decide(all, { ...bad, ip: '192.0.2.4' })).toBe('rule-country-denied');
    expect(await decide(all, { ...bad, ip: '198.51.100.1' })).toBe('rule-agent-denied');
    const ip = '198.51.100.1';
    expect(await decide(all, { ip, referer: bad.referer })).toBe('rule-referer-denied');
    const good = `token=${securetoken(ip)}`;
    expect(await decide(all, { ip, query: `${good}&auth=ann:wrong` })).toBe('allow securetoken');
    expect(await decide(all, { ip, query: `token=${securetoken()}&auth=ann:right` })).toBe(
      'rule-token-denied',
    );
    expect(await decide(all, { ip, query: 'auth=ann:right' })).toBe('allow users');
    expect(await decide(all, { ip, query: 'auth=ann:wrong' })).toBe('rule-login-denied');
    expect(await decide(all, { ip, query: 'auth=eve:right' })).toBe('rule-undecided');
  });

  it('say again about what is cached only what refuses', async () => {
    const all = await rules(`  - backend: portal
    rules:
      ip: { allow: [192.0.2.1], deny: [192.0.2.2], pass: [192.0.2.3] }
      userAgents: { deny: [bad] }
      securetoken: { secrets: ${SECRET} }
`);
    const refusal = (facts: Partial<RuleInput>) => all.ofRoute(0)!.refusal(asked(facts))?.reason;
    expect(refusal({ ip: '192.0.2.2' })).toBe('rule-ip-denied');
    expect(refusal({ userAgent: 'bad' })).toBe('rule-agent-denied');
    for (const ip of ['192.0.2.1', '192.0.2.3']) expect(refusal({ ip, userAgent: 'bad' })).toBeUndefined();
    expect(refusal({ query: `token=${securetoken('192.0.2.9')}` })).toBeUndefined();
  });

  it('answer at once where nothing has to be waited for', async () => {
    const all = await rules(`  - backend: portal
    rules: { ip: { deny: [10.0.0.0/8] }, securetoken: { secrets: ${SECRET} } }
`);
    expect(all.ofRoute(0)!.decide(asked())).toEqual({ kind: 'pass' });
    expect(all.ofRoute(0)!.decide(asked({ query: `token=${securetoken()}` }))).toMatchObject({
      kind: 'allow',
    });
  });

  it('leave the undecided to the backend, or refuse them where there is none', async () => {
    const all = await rules(`  - { backend: portal, rules: { ip: { pass: [192.0.2.1], allow: [10.0.0.1] } } }
  - { access: public, rules: { ip: { deny: [192.0.2.1] } } }
  - { rules: { ip: { pass: [192.0.2.1], allow: [10.0.0.1] } } }
  - { rules: { ip: { deny: [192.0.2.1] }, otherwise: pass } }
  - { backend: portal }
`);
    const each = (ip: string) => Promise.all([0, 1, 2, 3].map((route) => decide(all, { ip }, route)));
    expect(await each('192.0.2.1')).toEqual(['pass', 'rule-ip-denied', 'rule-undecided', 'rule-ip-denied']);
    expect(await each('192.0.2.2')).toEqual(['pass', 'pass', 'rule-undecided', 'allow otherwise']);
    expect(all.ofRoute(4)).toBeUndefined();
    expect(all.ofRoute(99)).toBeUndefined();
  });
});

describe('lists', () => {
  it('win by the longer network, in the configuration or in a file', async () => {
    await file('list', 'deny 10.0.0.0/8\nallow 10.1.1.0/24\n');
    const all = await rules(
      '  - { backend: portal, rules: { ip: { file: list, pass: [10.1.0.0/16], deny: [10.1.1.0/24] } } }\n',
    );
    expect(await decide(all, { ip: '10.2.0.1' })).toBe('rule-ip-denied');
    expect(await decide(all, { ip: '10.1.2.1' })).toBe('pass');
    // The same network in both: the refusal counts.
    expect(await decide(all, { ip: '10.1.1.1' })).toBe('rule-ip-denied');
  });

  it('are swapped while they are used, all routes at once, and a broken one is not', async () => {
    await file('list', 'deny 192.0.2.0/24\n');
    await file('countries.mmdb', mmdb({ '198.51.100.0/24': { country: { iso_code: 'DE' } } }));
    await file('users', accountLine({ name: 'ann', secret: 'right', kind: 'password' }));
    const route = `{ backend: portal, rules: { ip: { file: list }, countries: { database: countries.mmdb, deny: [DE] }, users: { file: users } } }`;
    const all = await rules(`  - ${route}\n  - ${route}\n`);
    const both = async (facts: Partial<RuleInput>) => [await decide(all, facts), await decide(all, facts, 1)];
    expect(await both({ ip: '192.0.2.7' })).toEqual(['rule-ip-denied', 'rule-ip-denied']);
    expect(await both({ ip: '198.51.100.7' })).toEqual(['rule-country-denied', 'rule-country-denied']);
    expect(all.version).toBe(0);

    await file('list', 'allow 192.0.2.0/24\n');
    await file('countries.mmdb', 'broken');
    await file('users', 'broken');
    await all.look();
    await all.look();
    expect(all.version).toBe(1);
    expect(await both({ ip: '192.0.2.7' })).toEqual(['allow ip', 'allow ip']);
    expect(await both({ ip: '198.51.100.7' })).toEqual(['rule-country-denied', 'rule-country-denied']);
    expect(await decide(all, { ip: '10.0.0.1', query: 'auth=ann:right' })).toBe('allow users');
    expect(log.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields.file)).toEqual(
      expect.arrayContaining([join(cwd, 'countries.mmdb'), join(cwd, 'users')]),
    );
  });

  it('are looked at by themselves', async () => {
    await file('list', 'deny 192.0.2.0/24\n');
    const all = await rules('  - { backend: portal, rules: { ip: { file: list } } }\n', 20);
    await file('list', '# nobody\n');
    await eventually(async () => expect(await decide(all)).toBe('pass'));
    expect(all.version).toBe(1);
  });
});

describe('createRules', () => {
  it('says everything that cannot be used, with setting, file and line', async () => {
    await file('list', 'deny 10.0.0.0/8\ndeny 10.0.0.0/99\n');
    await file('text', 'hello');
    const found = await config(`  - { backend: portal, rules: { ip: { file: list } } }
  - { backend: portal, rules: { countries: { database: text, deny: [DE] } } }
  - { rules: { users: { file: text } } }
  - { rules: { jwt: { file: text } } }
`);
    const failed = createRules(found, { clock: new ManualClock(), log });
    await expect(failed).rejects.toBeInstanceOf(ConfigError);
    await expect(failed).rejects.toMatchObject({
      problems: [
        expect.stringMatching(/^routes\[0\]\.rules\.ip\.file: .*\/list:2: expected an IP address/),
        expect.stringMatching(/^routes\[1\]\.rules\.countries\.database: .*\/text: this is no MMDB file/),
        expect.stringMatching(/^routes\[2\]\.rules\.users\.file: .*\/text:1: expected a name/),
        expect.stringMatching(/^routes\[3\]\.rules\.jwt\.file: .*\/text: there is no public key/),
      ],
    });
  });
});

describe('a rule that breaks', () => {
  const breaks = (): never => {
    throw new Error('broken by token=hunter2');
  };
  const filter = (look: Filter['look']): Filter => ({ name: 'ip', look });
  const credential = (judge: CredentialRule['judge']): CredentialRule => ({ name: 'users', judge });
  function chain(filters: Filter[], credentials: CredentialRule[], clock = new ManualClock()) {
    const trouble = new Trouble(clock, log);
    return new Chain({
      place: 'routes[0]',
      filters,
      credentials,
      hasTarget: true,
      otherwise: 'pass',
      trouble,
    });
  }
  const BROKEN = { kind: 'deny', rule: 'users', reason: 'rule-broken' };

  it('passes on where it only refuses', async () => {
    const refused = deny('userAgents', 'rule-agent-denied');
    const broken = chain([filter(breaks), filter(() => refused)], []);
    expect(broken.refusal(asked())).toBe(refused);
    expect(broken.decide(asked())).toBe(refused);
  });

  it('refuses where it would let in, whether at once or later', async () => {
    const next = credential(() => allow('users'));
    expect(chain([], [credential(breaks), next]).decide(asked())).toEqual(BROKEN);
    const late = credential(() => Promise.reject(new Error('late')));
    expect(await chain([], [late, next]).decide(asked())).toEqual(BROKEN);
    const after = credential(() => Promise.resolve(PASS));
    expect(await chain([], [after, credential(breaks)]).decide(asked())).toEqual(BROKEN);
  });

  it('is told of once a minute', () => {
    const clock = new ManualClock();
    const broken = chain([filter(breaks)], [], clock);
    for (let times = 0; times < 5; times += 1) void broken.decide(asked());
    clock.advance(60_000);
    void broken.decide(asked());
    expect(log.lines.map(({ fields }) => [fields.rule, fields.leftOut])).toEqual([
      ['routes[0].rules.ip', 0],
      ['routes[0].rules.ip', 4],
    ]);
  });
});

describe('what viewers show', () => {
  it('is in no log line', async () => {
    await file('users', accountLine({ name: 'ann', secret: 'right', kind: 'password' }));
    const all = await rules(`  - rules:
      securetoken: { secrets: ${SECRET} }
      users: { file: users }
      jwt: { url: "http://127.0.0.1:1/jwks" }
`);
    const secrets = ['hunter2', securetoken('192.0.2.9'), 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJodW50ZXIyIn0.'];
    for (const secret of secrets) {
      await decide(all, { query: `token=${secret}&auth=ann:${secret}`, authorization: `Bearer ${secret}` });
    }
    for (const secret of [...secrets, SECRET, 'hunter2']) expect(log.text).not.toContain(secret);
  });
});
