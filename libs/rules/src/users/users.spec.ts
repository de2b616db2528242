import { createHash, scryptSync } from 'node:crypto';
import { parseAccount } from '#usher/config';
import type { RuleInput, RuleOutcome } from '#usher/domain';
import { ManualClock } from '#usher/testing';
import { asked } from '../for-tests.js';
import { SecretDigest } from '../secret-digest.js';
import { byteString } from '../words/byte-string.js';
import { accountLine } from './account-line.js';
import { AccountTable, readAccounts } from './account-table.js';
import { PasswordChecks } from './password-checks.js';
import { UsersRule } from './users-rule.js';

const TOKEN = 'a static token that is long';

/** A cheap hash: what it costs is not what is tested. */
function scryptLine(name: string, password: string, attributes = ''): string {
  const salt = createHash('sha256').update(name).digest();
  const key = scryptSync(password, salt, 32, { N: 1024, r: 1, p: 1 });
  return `${name}:$scrypt$ln=10,r=1,p=1$${salt.toString('base64')}$${key.toString('base64')}${attributes}`;
}

/** Hashings that end when they are told to. */
class HeldHashings {
  readonly begun: { password: string; end: () => void }[] = [];
  readonly hash = (password: Buffer): Promise<Buffer> =>
    new Promise((resolve) => {
      const text = password.toString('latin1');
      const key = text === 'right' ? parseKey() : Buffer.alloc(32);
      this.begun.push({ password: text, end: () => resolve(key) });
    });
}
const LINE = scryptLine('ann', 'right');
function parseKey(): Buffer {
  const { hash } = parseAccount(LINE);
  return hash.kind === 'scrypt' ? hash.key : Buffer.alloc(0);
}

const digest = new SecretDigest();
const clock = new ManualClock();

function table(...lines: string[]): AccountTable {
  return readAccounts(Buffer.from(lines.join('\n')), 'users', digest);
}

function rule(tables: AccountTable[], passwords = new PasswordChecks(clock, digest)): UsersRule {
  return new UsersRule(
    { loginParameter: 'auth', tokenParameter: 'token' },
    tables.map((current) => ({ current })),
    passwords,
  );
}

const judge = async (of: UsersRule, facts: Partial<RuleInput>): Promise<RuleOutcome> =>
  of.judge(asked(facts));
const WRONG = { kind: 'deny', rule: 'users', reason: 'rule-login-denied' };
const BUSY = { kind: 'deny', rule: 'users', reason: 'rule-busy' };
const ANN = { kind: 'allow', rule: 'users', user: 'ann', sessionName: 'ann' };

describe('users', () => {
  const users = rule([table(scryptLine('ann', 'right', ' max=2')), table(scryptLine('боб', 'пароль'))]);

  it('log in with their password, in the query or as Basic', async () => {
    expect(await judge(users, { query: 'auth=ann:right' })).toEqual({ ...ANN, maxSessions: 2 });
    expect(await judge(users, { authorization: `Basic ${btoa('ann:right')}` })).toEqual({
      ...ANN,
      maxSessions: 2,
    });
    const bob = encodeURIComponent('боб:пароль');
    expect(await judge(users, { query: `x=1&auth=${bob}` })).toMatchObject({ user: byteString('боб') });
  });

  it('are refused with another password, and passed on where nobody here knows them', async () => {
    expect(await judge(users, { query: 'auth=ann:wrong' })).toEqual(WRONG);
    expect(await judge(users, { query: `auth=ann:${'x'.repeat(300)}` })).toEqual(WRONG);
    expect(await judge(users, { query: 'auth=eve:right' })).toEqual({ kind: 'pass' });
    expect(await judge(users, { query: '' })).toEqual({ kind: 'pass' });
  });

  it('may have a static token', async () => {
    const digestOf = createHash('sha256').update(TOKEN).digest('base64');
    const tokens = rule([table(`box-17:$sha256$${digestOf} max=1`)]);
    const box = { kind: 'allow', rule: 'users', user: 'box-17', sessionName: 'box-17', maxSessions: 1 };
    expect(tokens.judge(asked({ query: `token=${encodeURIComponent(TOKEN)}` }))).toEqual(box);
    expect(tokens.judge(asked({ token: TOKEN }))).toEqual(box);
    expect(tokens.judge(asked({ token: `${TOKEN}.` }))).toEqual({ kind: 'pass' });
    expect(tokens.judge(asked({ query: 'auth=ann:right' }))).toEqual({ kind: 'pass' });
  });

  it('get lines that are read again', async () => {
    const lines = [
      accountLine({ name: 'ann', secret: 'right', kind: 'password' }),
      accountLine({ name: 'box', secret: TOKEN, kind: 'token' }),
    ];
    const made = rule([table(...lines)]);
    expect(await judge(made, { query: 'auth=ann:right' })).toEqual(ANN);
    expect(await judge(made, { token: TOKEN })).toMatchObject({ user: 'box' });
  });

  it.each([
    ['a name with a colon', { name: 'a:b', secret: 'x', kind: 'password' }],
    ['no password', { name: 'a', secret: '', kind: 'password' }],
    ['a token that can be guessed', { name: 'a', secret: 'short', kind: 'token' }],
  ] as const)('get no line with %s', (_, line) => {
    expect(() => accountLine(line)).toThrow(RangeError);
  });
});

describe('a file of accounts', () => {
  it('is refused with its lines, and without its hashes', () => {
    const bad = () => table('# users', LINE, '', 'eve:hunter2', LINE);
    expect(bad).toThrow(/^users:4: expected a hash .*\nusers:5: expected each login once/);
    expect(bad).not.toThrow(/hunter2/);
  });
});

describe('passwords', () => {
  function held() {
    const hashings = new HeldHashings();
    const time = new ManualClock();
    const users = rule(
      [table(LINE, scryptLine('bob', 'right'))],
      new PasswordChecks(time, digest, hashings.hash),
    );
    return { hashings, time, users };
  }
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it('that are known good or bad are not hashed again for a while', async () => {
    const { hashings, time, users } = held();
    const ask = async (password: string) => {
      const answer = judge(users, { query: `auth=ann:${password}` });
      hashings.begun.at(-1)?.end();
      return answer;
    };
    expect(await ask('right')).toEqual(ANN);
    expect(await ask('wrong')).toEqual(WRONG);
    expect(users.judge(asked({ query: 'auth=ann:right' }))).toEqual(ANN);
    expect(users.judge(asked({ query: 'auth=ann:wrong' }))).toEqual(WRONG);
    expect(hashings.begun).toHaveLength(2);
    time.advance(60_000);
    expect(await ask('wrong')).toEqual(WRONG);
    expect(users.judge(asked({ query: 'auth=ann:right' }))).toEqual(ANN);
    time.advance(3_600_000);
    expect(await ask('right')).toEqual(ANN);
    expect(hashings.begun).toHaveLength(4);
  });

  it('that are the same are hashed once', async () => {
    const { hashings, users } = held();
    const answers = Array.from({ length: 50 }, () => judge(users, { query: 'auth=ann:right' }));
    expect(hashings.begun).toHaveLength(1);
    hashings.begun[0]!.end();
    expect(new Set(await Promise.all(answers)).size).toBe(50);
    expect(hashings.begun).toHaveLength(1);
  });

  it('of nobody cost as much as those of somebody', async () => {
    const { hashings, users } = held();
    const answer = judge(users, { query: 'auth=eve:right' });
    expect(hashings.begun).toHaveLength(1);
    hashings.begun[0]!.end();
    expect(await answer).toEqual({ kind: 'pass' });
  });

  /** Checks without the rule around them: what is refused is so at once. */
  function queue(count: number) {
    const hashings = new HeldHashings();
    const passwords = new PasswordChecks(clock, digest, hashings.hash);
    const users = table(...Array.from({ length: count }, (_, n) => LINE.replace('ann', `u${n}`)));
    const check = (name: string, password: string, network: string, isKnown = true) =>
      passwords.check({ name, password }, users.login(isKnown ? name : 'u0')!, isKnown, network);
    const endAll = async (): Promise<void> => {
      for (let ended = 0; ended < hashings.begun.length; ended += 1) {
        expect(hashings.begun.length - ended).toBeLessThanOrEqual(2);
        hashings.begun[ended]!.end();
        await settle();
      }
    };
    return { hashings, check, endAll };
  }

  it('are hashed two at once, and those of one login, or of nobody, do not fill the queue', async () => {
    const { hashings, check, endAll } = queue(2);
    const ofLogin = [1, 2, 3, 4].map((n) => check('u0', `${n}`, `a${n}`));
    expect(check('u0', '5', 'a5')).toBe('busy');
    const ofNobody = Array.from({ length: 8 }, (_, n) => check(`eve${n}`, 'x', `b${n}`, false));
    expect(check('eve8', 'x', 'b8', false)).toBe('busy');
    expect(hashings.begun).toHaveLength(2);
    const other = check('u1', 'right', 'c');
    await endAll();
    expect(await Promise.all([...ofLogin, ...ofNobody])).toEqual(Array(12).fill('bad'));
    expect(await other).toBe('good');
    expect(hashings.begun).toHaveLength(13);
  });

  it('from one network take half of the queue at most', async () => {
    const { hashings, check, endAll } = queue(80);
    const one = Array.from({ length: 34 }, (_, n) => check(`u${n}`, 'x', 'one'));
    expect(check('u34', 'x', 'one')).toBe('busy');
    const others = Array.from({ length: 32 }, (_, n) => check(`u${34 + n}`, 'x', `other ${n}`));
    expect(check('u66', 'x', 'another')).toBe('busy');
    await endAll();
    expect(await Promise.all([...one, ...others])).toEqual(Array(66).fill('bad'));
    expect(hashings.begun).toHaveLength(66);
    const again = check('u66', 'x', 'another');
    hashings.begun[66]!.end();
    expect(await again).toBe('bad');
  });

  it('of nobody are never good, whatever they are compared with', async () => {
    const { hashings, check } = queue(1);
    const checked = check('eve', 'right', 'a', false);
    hashings.begun[0]!.end();
    expect(await checked).toBe('bad');
    expect(check('eve', 'right', 'a', false)).toBe('bad');
  });

  it('that take too long are answered all the same, and known at the next question', async () => {
    const { hashings, users } = held();
    const start = performance.now();
    expect(await judge(users, { query: 'auth=ann:right' })).toEqual(BUSY);
    expect(performance.now() - start).toBeGreaterThan(900);
    hashings.begun[0]!.end();
    await settle();
    expect(users.judge(asked({ query: 'auth=ann:right' }))).toEqual(ANN);
  });

  it('that cannot be hashed break for their own check alone', async () => {
    let fails = true;
    const passwords = new PasswordChecks(clock, digest, () =>
      fails ? Promise.reject(new Error('no memory')) : Promise.resolve(parseKey()),
    );
    const users = rule([table(LINE)], passwords);
    await expect(judge(users, { query: 'auth=ann:right' })).rejects.toThrow('no memory');
    fails = false;
    expect(await judge(users, { query: 'auth=ann:right' })).toEqual(ANN);
  });
});
