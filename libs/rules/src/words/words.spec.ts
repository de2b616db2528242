import type { RuleInput } from '#usher/domain';
import fc from 'fast-check';
import { asked } from '../for-tests.js';
import { byteString, unescaped } from './byte-string.js';
import { refererHost, ReferersRule } from './referers-rule.js';
import { shownLogin, shownTokens } from './shown-tokens.js';
import { UserAgentsRule } from './user-agents-rule.js';
import { matchesWildcard } from './wildcard.js';

const verdict = (rule: { look(asked: RuleInput): { kind: string } }, facts: Partial<RuleInput>): string =>
  rule.look(asked(facts)).kind;

describe('matchesWildcard', () => {
  it('is right about every pattern and text', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (glob, word) => {
        const shape = new RegExp(
          `^${glob.replaceAll('.', '\\.').replaceAll('?', '.').replaceAll('*', '.*')}$`,
        );
        expect(matchesWildcard(glob, word)).toBe(shape.test(word));
      }),
      { numRuns: 3_000 },
    );
  });

  it('is not kept busy by what makes a regular expression slow', () => {
    expect(matchesWildcard(`${'*a'.repeat(100)}b`, 'a'.repeat(512))).toBe(false);
  });
});

describe('user agents', () => {
  it('are refused by a part, or as a whole', () => {
    const rule = new UserAgentsRule({ allow: [], deny: ['vlc', 'Lavf/5?.*'] });
    expect(verdict(rule, { userAgent: 'VLC/3.0.20 LibVLC/3.0.20' })).toBe('deny');
    expect(verdict(rule, { userAgent: 'lavf/59.27.100' })).toBe('deny');
    expect(verdict(rule, { userAgent: 'my Lavf/59.27.100' })).toBe('pass');
    expect(verdict(rule, { userAgent: '' })).toBe('pass');
  });

  it('with allow all others are refused, and deny wins', () => {
    const rule = new UserAgentsRule({ allow: ['MAG', '?*Box'], deny: ['MAG250'] });
    expect(verdict(rule, { userAgent: 'Mozilla MAG322' })).toBe('pass');
    expect(verdict(rule, { userAgent: 'TheBox' })).toBe('pass');
    expect(verdict(rule, { userAgent: 'MAG250' })).toBe('deny');
    expect(verdict(rule, { userAgent: '' })).toBe('deny');
  });

  it('never let anybody in', () => {
    const rule = new UserAgentsRule({ allow: ['*'], deny: [] });
    expect(rule.look(asked({ userAgent: 'x' }))).toEqual({ kind: 'pass' });
  });

  it('know letters of any alphabet', () => {
    const rule = new UserAgentsRule({ allow: [], deny: ['плеер'] });
    expect(verdict(rule, { userAgent: byteString('мой плеер 1') })).toBe('deny');
  });
});

describe('referers', () => {
  const rule = new ReferersRule({ hosts: ['tv.example', '*.tv.example'], none: 'pass' });

  it.each([
    ['https://tv.example/live', 'pass'],
    ['http://TV.example:8080', 'pass'],
    ['https://a.b.tv.example./?x=https://evil.example', 'pass'],
    ['https://me:secret@tv.example/', 'pass'],
    [undefined, 'pass'],
    ['', 'pass'],
    ['https://nottv.example/', 'deny'],
    ['https://evil.example/tv.example', 'deny'],
    ['https://tv.example@evil.example/', 'deny'],
    ['https://tv.example:80@evil.example/', 'deny'],
    ['https://evil.example#@tv.example/', 'deny'],
    ['https://evil.example\\@tv.example/', 'deny'],
    ['https://evil.example?.tv.example', 'deny'],
    ['tv.example', 'deny'],
    ['about:blank', 'deny'],
    ['null', 'deny'],
  ])('%s: %s', (referer, expected) => {
    expect(verdict(rule, { referer })).toBe(expected);
  });

  it('may be required', () => {
    const strict = new ReferersRule({ hosts: ['*.tv.example'], none: 'deny' });
    expect(verdict(strict, {})).toBe('deny');
    expect(verdict(strict, { referer: 'https://tv.example/' })).toBe('deny');
    expect(verdict(strict, { referer: 'https://a.tv.example/' })).toBe('pass');
  });

  it('name the host that a browser goes to', () => {
    fc.assert(
      fc.property(fc.webUrl({ withFragments: true, withQueryParameters: true }), (url) => {
        expect(refererHost(url)).toBe(new URL(url).hostname);
      }),
    );
  });
});

describe('what a viewer shows', () => {
  const tokens = (facts: Partial<RuleInput>): string[] => [...shownTokens(asked(facts), 'token')];

  it('is taken from the dialect, the query and a Bearer, in this order', () => {
    expect(tokens({ token: 'a', query: 'x=1&token=b%2Dc&token=d', authorization: 'Bearer e' })).toEqual([
      'a',
      'b-c',
      'e',
    ]);
    expect(tokens({ query: 'xtoken=1&token=', authorization: 'Basic YTpi' })).toEqual([]);
  });

  it('may be a login, in the query or as Basic', () => {
    expect(shownLogin(asked({ query: 'auth=ann:pa%3Ass%ZZ' }), 'auth')).toEqual({
      name: 'ann',
      password: 'pa:ss%ZZ',
    });
    expect(shownLogin(asked({ query: 'auth=ann', authorization: 'basic YW5uOmI6Yw==' }), 'auth')).toEqual({
      name: 'ann',
      password: 'b:c',
    });
    expect(shownLogin(asked({ query: 'auth=:x', authorization: 'Basic ?' }), 'auth')).toBeUndefined();
  });

  it('is garbage for nobody', () => {
    const garbage = fc.string({
      unit: fc.constantFrom(...Array.from('token=&%2Fé?;:auth Bearer\u0000')),
      maxLength: 60,
    });
    fc.assert(
      fc.property(garbage, garbage, (query, authorization) => {
        const pairs = query.split('&').map((pair) => pair.split(/=(.*)/s));
        const first = pairs.find(([name]) => name === 'token')?.[1] ?? '';
        const found = tokens({ query });
        expect(found).toEqual(first === '' ? [] : [unescaped(first)]);
        shownLogin(asked({ query, authorization }), 'auth');
      }),
      { numRuns: 1_000 },
    );
  });
});
