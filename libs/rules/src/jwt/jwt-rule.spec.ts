import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JwtRuleConfig } from '#usher/config';
import type { RuleInput, RuleOutcome } from '#usher/domain';
import { eventually, ManualClock } from '#usher/testing';
import { SignJWT, type JWTPayload } from 'jose';
import { asked, KeptLog } from '../for-tests.js';
import { SecretDigest } from '../secret-digest.js';
import { Turns } from '../turns.js';
import { JwtRule } from './jwt-rule.js';
import { readKeySet, secretKeys, type KeySet } from './key-set.js';
import { steadyKeys, type KeySource } from './key-source.js';
import { RemoteKeys } from './remote-keys.js';

const NOW = 1_767_225_600;
const SECRET = 'a secret of more than thirty-two characters';

interface Pair {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}
const ec = (kid: string): Pair => ({
  kid,
  alg: 'ES256',
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }),
});
const KEY = ec('k1');
const NEXT = ec('k2');
const RSA: Pair = { kid: 'r1', alg: 'RS256', ...generateKeyPairSync('rsa', { modulusLength: 2048 }) };
const ED: Pair = { kid: 'e1', alg: 'EdDSA', ...generateKeyPairSync('ed25519') };

const jwk = ({ publicKey, kid }: Pair, facts: object = {}) => ({
  ...publicKey.export({ format: 'jwk' }),
  kid,
  ...facts,
});
const jwks = (...pairs: Pair[]): string => JSON.stringify({ keys: pairs.map((pair) => jwk(pair)) });

function token(claims: JWTPayload = {}, { privateKey, alg, kid }: Pair = KEY): Promise<string> {
  return new SignJWT({ sub: 'ann', exp: NOW + 3600, ...claims })
    .setProtectedHeader({ alg, kid })
    .sign(privateKey);
}

interface Settings extends Partial<Omit<JwtRuleConfig, 'claims'>> {
  claims?: Partial<JwtRuleConfig['claims']>;
}

function rule(
  settings: Settings = {},
  keys: KeySource | KeySet = readKeySet(jwks(KEY, RSA, ED), 'keys'),
  clock = new ManualClock(NOW * 1000),
  turns?: Turns,
) {
  const config: JwtRuleConfig = {
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    parameter: 'token',
    requireExp: true,
    leeway: 30_000,
    refresh: 600_000,
    ...settings,
    claims: { user: 'sub', sessions: 'sessions', ...settings.claims },
  };
  const source = 'kind' in keys ? steadyKeys({ current: keys }) : keys;
  return new JwtRule({ config, keys: source, clock, digest: new SecretDigest(), turns });
}

async function outcome(
  of: JwtRule,
  shown: string,
  facts: Partial<RuleInput> = {},
): Promise<RuleOutcome | string> {
  const said = await of.judge(asked({ query: `token=${shown}`, ...facts }));
  return said.kind === 'deny' ? said.reason : said;
}

const ANN = {
  kind: 'allow',
  rule: 'jwt',
  user: 'ann',
  sessionName: 'ann',
  until: (NOW + 3600) * 1000 + 30_000,
};
const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('jwt', () => {
  it.each([KEY, RSA, ED])('lets in with a good token, and names user and end', async (pair) => {
    expect(await outcome(rule(), await token({}, pair))).toEqual(ANN);
  });

  it('answers about a token that it knows without waiting', async () => {
    const jwt = rule();
    const shown = await token();
    await jwt.judge(asked({ token: shown }));
    expect(jwt.judge(asked({ token: shown }))).toEqual(ANN);
  });

  it('takes a Bearer too', async () => {
    const authorization = `Bearer ${await token({ sub: 'bob' })}`;
    expect(await rule().judge(asked({ authorization }))).toMatchObject({ user: 'bob' });
  });

  it('passes other tokens on', () => {
    for (const other of ['', 'abc', 'a.b', 'a.b.c.d', 'a.b.c~', '..', 'u1~a.b.c']) {
      expect(rule().judge(asked({ token: other }))).toEqual({ kind: 'pass' });
    }
  });

  it('refuses what nobody signed, and what somebody else did', async () => {
    const [head, body, signature] = (await token()).split('.') as [string, string, string];
    const none = encoded({ alg: 'none' });
    for (const bad of [
      `${none}.${body}.`,
      `${none}.${body}.${signature}`,
      `${head}.${body}.`,
      `${head}.${encoded({ sub: 'eve', exp: NOW + 3600 })}.${signature}`,
      `${'a'.repeat(9_000)}.b.c`,
      'a.b.c',
      await token({}, { ...NEXT, kid: 'k1' }),
      await token({}, NEXT),
    ]) {
      expect(await outcome(rule(), bad)).toBe('rule-token-denied');
    }
  });

  it('never takes a public key for a secret', async () => {
    const pem = RSA.publicKey.export({ format: 'pem', type: 'spki' });
    const forged = await new SignJWT({ sub: 'eve', exp: NOW + 3600 })
      .setProtectedHeader({ alg: 'HS256', kid: 'r1' })
      .sign(Buffer.from(pem));
    expect(await outcome(rule(), forged)).toBe('rule-token-denied');
    // Not even where somebody lists the algorithm past the configuration's checks.
    expect(await outcome(rule({ algorithms: ['RS256', 'HS256'] }), forged)).toBe('rule-token-denied');
  });

  it('accepts the listed algorithms only', async () => {
    expect(await outcome(rule({ algorithms: ['RS256'] }), await token())).toBe('rule-token-denied');
  });

  it('goes by secrets where it is given some, and by each of them', async () => {
    const jwt = rule(
      { algorithms: ['HS256'] },
      secretKeys(['another secret of more than thirty-two', SECRET]),
    );
    const signed = new SignJWT({ sub: 'ann', exp: NOW + 3600 }).setProtectedHeader({ alg: 'HS256' });
    expect(await outcome(jwt, await signed.sign(Buffer.from(SECRET)))).toEqual(ANN);
    expect(await outcome(jwt, await signed.sign(Buffer.from(`${SECRET}.`)))).toBe('rule-token-denied');
    expect(await outcome(jwt, await token())).toBe('rule-token-denied');
  });

  it('has an end and perhaps a start, and clocks may differ a little', async () => {
    const clock = new ManualClock(NOW * 1000);
    const jwt = rule({}, undefined, clock);
    expect(await outcome(jwt, await token({ exp: NOW - 31 }))).toBe('rule-token-expired');
    expect(await outcome(jwt, await token({ nbf: NOW + 40 }))).toBe('rule-token-early');
    expect(await outcome(jwt, await token({ nbf: NOW + 30 }))).toEqual(ANN);
    const known = await token();
    expect(await outcome(jwt, known)).toEqual(ANN);
    clock.set((NOW + 3629) * 1000);
    expect(await outcome(jwt, known)).toEqual(ANN);
    clock.set((NOW + 3630) * 1000);
    expect(await outcome(jwt, known)).toBe('rule-token-expired');
  });

  it('must have an end, unless that is not wanted', async () => {
    const endless = await token({ exp: undefined });
    expect(await outcome(rule(), endless)).toBe('rule-token-denied');
    expect(await outcome(rule({ requireExp: false }), endless)).toEqual({
      kind: 'allow',
      rule: 'jwt',
      user: 'ann',
      sessionName: 'ann',
    });
  });

  it('is of one issuer and audience where they are configured', async () => {
    const jwt = rule({ issuer: ['https://id.example'], audience: ['tv', 'radio'] });
    const iss = 'https://id.example';
    expect(await outcome(jwt, await token({ iss, aud: ['x', 'tv'] }))).toEqual(ANN);
    for (const claims of [
      { iss },
      { aud: 'tv' },
      { iss, aud: 'film' },
      { iss: 'https://evil.example', aud: 'tv' },
    ]) {
      expect(await outcome(jwt, await token(claims))).toBe('rule-token-denied');
    }
  });

  it('is good for its channels, also when it is known', async () => {
    const jwt = rule({ claims: { channels: 'ch' } });
    const shown = await token({ ch: ['news-*', 'a00?', 7] });
    for (const channel of ['a001', 'news-24']) expect(await outcome(jwt, shown, { channel })).toEqual(ANN);
    for (const channel of ['a0011', 'film', '']) {
      expect(await outcome(jwt, shown, { channel })).toBe('rule-token-channel');
    }
    expect(await outcome(jwt, await token({ ch: 'a001' }))).toEqual(ANN);
    for (const claims of [{}, { ch: [] }, { ch: { a001: true } }]) {
      expect(await outcome(jwt, await token(claims))).toBe('rule-token-channel');
    }
  });

  it('is good from its addresses, also when it is known', async () => {
    const jwt = rule({ claims: { ip: 'ip' } });
    const shown = await token({ ip: ['192.0.2.0/24', '2001:db8::/64', 'x'] });
    for (const ip of ['192.0.2.9', '::ffff:192.0.2.9', '2001:DB8::9']) {
      expect(await outcome(jwt, shown, { ip })).toEqual(ANN);
    }
    expect(await outcome(jwt, shown, { ip: '192.0.3.1' })).toBe('rule-token-address');
    expect(await outcome(jwt, await token())).toBe('rule-token-address');
  });

  it('may say how many devices, and call its claims otherwise', async () => {
    const jwt = rule({ claims: { user: 'uid', sessions: 'max' } });
    expect(await outcome(jwt, await token({ uid: 100_500, max: 2 }))).toMatchObject({
      user: '100500',
      maxSessions: 2,
    });
    const odd = await outcome(jwt, await token({ uid: { a: 1 }, max: 1e9 }));
    expect(odd).toEqual({ kind: 'allow', rule: 'jwt', until: ANN.until });
  });

  it('tries all keys where a token does not name its key', async () => {
    const jwt = rule({}, readKeySet(jwks(NEXT, KEY), 'keys'));
    const unnamed = await new SignJWT({ sub: 'ann', exp: NOW + 3600 })
      .setProtectedHeader({ alg: 'ES256' })
      .sign(KEY.privateKey);
    expect(await outcome(jwt, unnamed)).toEqual(ANN);
  });

  it('keeps some from being verified where too many wait', async () => {
    let end = (): void => {};
    const turns = new Turns(1, 1);
    const held = turns.run(() => new Promise<void>((resolve) => (end = resolve)));
    const jwt = rule({}, undefined, undefined, turns);
    const waits = outcome(jwt, await token());
    expect(await outcome(jwt, await token({ sub: 'bob' }))).toBe('rule-busy');
    end();
    await held;
    expect(await waits).toEqual(ANN);
    expect(await outcome(jwt, await token({ sub: 'bob' }))).toMatchObject({ user: 'bob' });
  });

  it('forgets tokens whose key is gone', async () => {
    const file = { current: readKeySet(jwks(KEY), 'keys') };
    const jwt = rule({}, steadyKeys(file));
    const shown = await token();
    expect(await outcome(jwt, shown)).toEqual(ANN);
    file.current = readKeySet(jwks(NEXT), 'keys');
    expect(await outcome(jwt, shown)).toBe('rule-token-denied');
  });
});

describe('a file of keys', () => {
  it('may be PEM, and leaves out what is not public', async () => {
    const pem = String(KEY.publicKey.export({ format: 'pem', type: 'spki' }));
    expect(await outcome(rule({}, readKeySet(pem, 'keys')), await token())).toEqual(ANN);
    const secret = { kty: 'oct', k: Buffer.from(SECRET).toString('base64url'), kid: 's' };
    const keys = [
      secret,
      null,
      { kty: 'EC', crv: 'none' },
      { ...KEY.privateKey.export({ format: 'jwk' }), kid: 'k1' },
    ];
    const mixed = readKeySet(JSON.stringify({ keys }), 'keys');
    expect(await outcome(rule({}, mixed), await token())).toEqual(ANN);
    expect(JSON.stringify(mixed)).not.toContain('"d"');
  });

  it.each([
    ['', 'no public key'],
    ['{}', 'expected a JWKS'],
    ['{"keys": 1}', 'expected a JWKS'],
    ['{"keys": []}', 'no public key'],
    ['{"keys": [{"kty": "oct", "k": "YQ"}]}', 'no public key'],
    [String(KEY.privateKey.export({ format: 'pem', type: 'pkcs8' })), 'no public key'],
    ['-----BEGIN PUBLIC KEY-----\nYQ==\n-----END PUBLIC KEY-----', 'cannot be read'],
  ])('is refused where it has none', (text, expected) => {
    expect(() => readKeySet(text, 'keys')).toThrow(expected);
  });
});

describe('keys at an address', () => {
  let server: Server;
  let answer: () => { status: number; body: string } | 'never';
  let asks: number;
  let url: string;
  const open: RemoteKeys[] = [];
  const clock = () => new ManualClock(NOW * 1000);

  beforeEach(async () => {
    asks = 0;
    answer = () => ({ status: 200, body: jwks(KEY) });
    server = createServer((request, response) => {
      asks += 1;
      const said = request.url === '/elsewhere' ? { status: 200, body: jwks(NEXT) } : answer();
      if (said !== 'never') response.writeHead(said.status, { location: '/elsewhere' }).end(said.body);
      expect(request.headers.authorization).toBe(`Basic ${btoa('me:hunter2')}`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://me:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((keys) => keys.close()));
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function remote(time: ManualClock, refresh = 600_000, log = new KeptLog()) {
    const changes: number[] = [];
    const parts = { url, refresh, clock: time, log, random: () => 0.5, onChange: () => changes.push(asks) };
    const keys = new RemoteKeys(parts);
    open.push(keys);
    keys.start();
    return { keys, changes, log };
  }

  it('are waited for by the first check, and by no other', async () => {
    const time = clock();
    const { keys, changes } = remote(time);
    const jwt = rule({}, keys, time);
    expect(await outcome(jwt, await token())).toEqual(ANN);
    expect(await outcome(jwt, await token({ sub: 'bob' }))).toMatchObject({ user: 'bob' });
    expect([asks, changes]).toEqual([1, [1]]);
  });

  it('are fetched again in the background', async () => {
    const time = clock();
    const { keys, changes } = remote(time, 20);
    await eventually(() => expect(asks).toBeGreaterThan(3));
    expect(changes).toHaveLength(1);
    answer = () => ({ status: 200, body: jwks(NEXT) });
    await eventually(() => expect(changes).toHaveLength(2));
    const jwt = rule({}, keys, time);
    expect(await outcome(jwt, await token({}, NEXT))).toEqual(ANN);
  });

  it('are looked for at once where a token names a new one, and not for every made-up one', async () => {
    const time = clock();
    const { keys } = remote(time);
    const jwt = rule({}, keys, time);
    expect(await outcome(jwt, await token())).toEqual(ANN);
    answer = () => ({ status: 200, body: jwks(KEY, NEXT) });
    time.advance(10_000);
    expect(await outcome(jwt, await token({}, NEXT))).toEqual(ANN);
    for (let made = 0; made < 20; made += 1) {
      expect(await outcome(jwt, await token({}, { ...NEXT, kid: `made-up-${made}` }))).toBe(
        'rule-token-denied',
      );
    }
    expect(asks).toBe(2);
  });

  it.each([
    ['an error', () => ({ status: 500, body: '' })],
    ['a redirect', () => ({ status: 302, body: '' })],
    ['a page', () => ({ status: 200, body: '<html>' })],
    ['no keys', () => ({ status: 200, body: '{"keys":[]}' })],
    ['too much', () => ({ status: 200, body: `{"keys":[],"x":"${'x'.repeat(2 * 1024 * 1024)}"}` })],
  ])('stay in force where the address has %s', async (_, bad) => {
    const time = clock();
    const { keys, changes, log } = remote(time, 20);
    await eventually(() => expect(keys.current).toBeDefined());
    answer = bad;
    await eventually(() => expect(log.lines.length).toBeGreaterThan(0));
    expect(log.lines[0]!.message).toBe(
      'keys of tokens could not be fetched: the last good ones stay in force',
    );
    expect(log.text).not.toContain('hunter2');
    expect(changes).toHaveLength(1);
    expect(await outcome(rule({}, keys, time), await token())).toEqual(ANN);
  });

  it('that were never there refuse, in time, and say so', async () => {
    answer = () => 'never';
    const time = clock();
    const { keys } = remote(time);
    expect(await outcome(rule({}, keys, time), await token())).toBe('rule-keys-missing');
    expect(asks).toBe(1);
  });
});
