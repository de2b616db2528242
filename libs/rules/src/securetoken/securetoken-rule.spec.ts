import { execFileSync } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import type { SecuretokenRuleConfig } from '#usher/config';
import type { RuleInput } from '#usher/domain';
import { ManualClock } from '#usher/testing';
import fc from 'fast-check';
import { asked } from '../for-tests.js';
import { SecuretokenRule } from './securetoken-rule.js';

const NOW = 1_767_225_600;
const SECRET = 'a secret of some length';

function rule(config: Partial<SecuretokenRuleConfig> = {}): SecuretokenRule {
  return new SecuretokenRule(
    { flavour: 'astra', secrets: [SECRET], parameter: 'token', ip: 'required', leeway: 30_000, ...config },
    new ManualClock(NOW * 1000),
  );
}

interface Facts {
  subject?: string;
  ip?: string;
  start?: number | string;
  end?: number | string;
  secret?: string;
  salt?: string;
  user?: string;
}

function sha1Token(facts: Facts = {}): string {
  const {
    subject = 'a001',
    ip = '192.0.2.7',
    start = NOW,
    end = NOW + 3600,
    secret = SECRET,
    salt = 'x1',
  } = facts;
  const hash = createHash('sha1').update(`${subject}${ip}${start}${end}${secret}${salt}`).digest('hex');
  return `${hash}-${salt}-${end}-${start}`;
}

function hmacToken(facts: Facts = {}): string {
  const {
    subject = 'a001',
    ip = '192.0.2.7',
    start = NOW,
    end = NOW + 3600,
    secret = SECRET,
    salt = 'x1',
    user = '',
  } = facts;
  const text = `u1\n${ip}\n${start}\n${end}\n${user}\n${salt}\n${subject}`;
  const mac = createHmac('sha256', secret).update(text).digest('hex');
  return `u1~${mac}~${end}~${start}~${user}~${salt}`;
}

const outcome = (of: SecuretokenRule, token: string, facts: Partial<RuleInput> = {}) => {
  const said = of.judge(asked({ query: `a=b&token=${token}`, ...facts }));
  return said.kind === 'deny' ? said.reason : said;
};
const LET_IN = { kind: 'allow', rule: 'securetoken', until: (NOW + 3600) * 1000 + 30_000 };

describe('securetoken, as Astra and Alta make it', () => {
  it('lets in until its end', () => {
    expect(outcome(rule(), sha1Token())).toEqual(LET_IN);
  });

  it('lets in whom the line of the documentation makes a token for', () => {
    const line = `printf %s "$channel$ip$start$end$secret$salt" | sha1sum | cut -d' ' -f1`;
    const env = {
      PATH: process.env.PATH,
      channel: 'a001',
      ip: '192.0.2.7',
      start: `${NOW}`,
      end: `${NOW + 3600}`,
    };
    const hash = execFileSync('sh', ['-c', line], { env: { ...env, secret: SECRET, salt: 'x1' } });
    expect(outcome(rule(), `${String(hash).trim()}-x1-${NOW + 3600}-${NOW}`)).toEqual(LET_IN);
  });

  it('is of one channel, address and secret', () => {
    for (const facts of [{ subject: 'a002' }, { ip: '192.0.2.8' }, { secret: 'another secret' }]) {
      expect(outcome(rule(), sha1Token(facts))).toBe('rule-token-denied');
    }
  });

  it('of Alta is of one path', () => {
    const alta = rule({ flavour: 'alta' });
    expect(outcome(alta, sha1Token({ subject: '/play/a001/index.m3u8' }))).toEqual(LET_IN);
    expect(outcome(alta, sha1Token())).toBe('rule-token-denied');
  });

  it('has a start and an end, and clocks may differ a little', () => {
    expect(outcome(rule(), sha1Token({ end: NOW - 29 }))).toMatchObject({ kind: 'allow' });
    expect(outcome(rule(), sha1Token({ end: NOW - 30 }))).toBe('rule-token-expired');
    expect(outcome(rule(), sha1Token({ start: NOW + 30 }))).toMatchObject({ kind: 'allow' });
    expect(outcome(rule(), sha1Token({ start: NOW + 31 }))).toBe('rule-token-early');
  });

  it('may be made without an address where that is configured', () => {
    const without = sha1Token({ ip: '' });
    expect(outcome(rule(), without)).toBe('rule-token-denied');
    expect(outcome(rule({ ip: 'optional' }), without)).toEqual(LET_IN);
    expect(outcome(rule({ ip: 'optional' }), sha1Token())).toEqual(LET_IN);
    expect(outcome(rule({ ip: 'ignored' }), without)).toEqual(LET_IN);
    expect(outcome(rule({ ip: 'ignored' }), sha1Token())).toBe('rule-token-denied');
  });

  it('knows an address by its other spelling', () => {
    expect(outcome(rule(), sha1Token(), { ip: '::ffff:192.0.2.7' })).toEqual(LET_IN);
    expect(outcome(rule(), sha1Token({ ip: '2001:db8::7' }), { ip: '2001:DB8:0::7' })).toEqual(LET_IN);
  });

  it('is good with each secret while they are changed', () => {
    const both = rule({ secrets: ['the new secret', SECRET] });
    expect(outcome(both, sha1Token())).toEqual(LET_IN);
    expect(outcome(both, sha1Token({ secret: 'the new secret' }))).toEqual(LET_IN);
  });

  it('whose digits are moved between start and end is refused', () => {
    const [hash, salt, end, start] = sha1Token().split('-') as [string, string, string, string];
    const digits = start + end;
    for (let at = 1; at < digits.length; at += 1) {
      if (at === start.length) continue;
      const moved = `${hash}-${salt}-${digits.slice(at)}-${digits.slice(0, at)}`;
      expect(outcome(rule(), moved)).toBe('rule-token-denied');
    }
  });

  it('of another kind is passed on', () => {
    for (const token of ['', 'abc', 'a.b.c', hmacToken(), sha1Token().slice(1)]) {
      expect(outcome(rule(), token)).toEqual({ kind: 'pass' });
    }
  });
});

describe('securetoken of Usher’s own', () => {
  const hmac = rule({ flavour: 'hmac' });

  it('lets in, and names the user', () => {
    expect(outcome(hmac, hmacToken())).toEqual(LET_IN);
    expect(outcome(hmac, hmacToken({ user: 'ann@x.example' }))).toEqual({
      ...LET_IN,
      user: 'ann@x.example',
      sessionName: 'ann@x.example',
    });
  });

  it('stays as it is: a token made elsewhere', () => {
    // printf 'u1\n%s\n%s\n%s\n%s\n%s\n%s' 192.0.2.7 1767225600 1767229200 ann s a001 | openssl dgst -sha256 -hmac "$SECRET"
    const mac = '8d46ea4f245670029c2e7e3f9141d976a45fe6868546eb625c18c89c92c16759';
    expect(outcome(hmac, `u1~${mac}~1767229200~1767225600~ann~s`)).toMatchObject({ user: 'ann' });
  });

  it('that means to be one and is none is refused, and not passed on', () => {
    for (const token of ['u1~', hmacToken().toUpperCase().replace('U1', 'u1'), `${hmacToken()}~`]) {
      expect(outcome(hmac, token)).toBe('rule-token-denied');
    }
    expect(outcome(hmac, sha1Token())).toEqual({ kind: 'pass' });
  });

  it('goes by the path where the edge names no channel', () => {
    expect(outcome(hmac, hmacToken({ subject: '/x' }), { channel: '', path: '/x' })).toEqual(LET_IN);
  });
});

describe('any securetoken', () => {
  const facts = fc.record({
    subject: fc.string({ unit: fc.constantFrom(...Array.from('ab/0129-~.')), maxLength: 12, minLength: 1 }),
    ip: fc.oneof(fc.ipV4(), fc.ipV6()),
    salt: fc.stringMatching(/^[a-z0-9]{0,12}$/),
    end: fc.integer({ min: NOW + 60, max: NOW + 86_400 }),
  });

  it.each([
    ['astra', sha1Token],
    ['hmac', hmacToken],
  ] as const)('of %s lets in whom it was made for, and with any bit changed nobody', (flavour, make) => {
    const of = rule({ flavour });
    fc.assert(
      fc.property(facts, fc.nat(), fc.integer({ min: 0, max: 6 }), ({ subject, ip, salt, end }, at, bit) => {
        const token = make({ subject, ip, salt, end });
        const viewer = { channel: subject, ip };
        expect(outcome(of, token, viewer)).toMatchObject({ kind: 'allow' });
        const bytes = Buffer.from(token);
        bytes[at % bytes.length]! ^= 1 << bit;
        const changed = bytes.toString();
        // The case of a hexadecimal digit says nothing.
        fc.pre(flavour === 'hmac' || changed.toLowerCase() !== token.toLowerCase());
        const said = of.judge(asked({ ...viewer, token: changed }));
        expect(said.kind).not.toBe('allow');
      }),
      { numRuns: 500 },
    );
  });

  it('is garbage without harm', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (token) => {
        for (const flavour of ['astra', 'alta', 'hmac'] as const) {
          expect(rule({ flavour }).judge(asked({ token })).kind).not.toBe('allow');
        }
      }),
    );
  });
});
