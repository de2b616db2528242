import type { CanariesConfig, CanaryConfig } from '#usher/config';
import type { BackendAnswer } from '#usher/domain';
import { aBackend } from '../../test/checks.js';
import { canaryCheck } from './canary-check.js';
import {
  afterRound,
  isSameSuspicion,
  NOTHING_SHOWN,
  suspicionOf,
  type CanaryRecord,
} from './canary-record.js';

type Said = 'allow' | 'deny' | 'unavailable';

const configured = (canaries: object): CanariesConfig =>
  aBackend({ type: 'http', url: 'http://127.0.0.1:9/', canaries }).canaries!;
const BOTH = configured({ allow: { query: 'token=mine' }, deny: { query: 'token=nobodys' } });
const said = (kind: Said): BackendAnswer => ({ kind, backend: 'portal' }) as BackendAnswer;

/** Rounds a minute apart, from 1,000; each is what the must-allow and the must-deny were answered, `-` for not sent. */
function rounds(text: string, config = BOTH, start: CanaryRecord = NOTHING_SHOWN): CanaryRecord {
  const kinds: Readonly<Record<string, Said>> = { a: 'allow', d: 'deny', u: 'unavailable' };
  let now = 1_000;
  return text.split(' ').reduce((record, [allow = '-', deny = '-']) => {
    const answers = {
      ...(allow !== '-' && { allow: said(kinds[allow]!) }),
      ...(deny !== '-' && { deny: said(kinds[deny]!) }),
    };
    now += 60_000;
    return afterRound(record, config, answers, now);
  }, start);
}

const wrongAfter = (text: string): readonly string[] => suspicionOf(rounds(text))?.wrong ?? [];

describe('canaries', () => {
  it.each([
    ['ad ad ad', []],
    ['aa', []],
    ['ad aa', []],
    ['ad aa aa', ['deny']],
    ['ad dd dd', ['allow']],
    ['ad da da', ['allow', 'deny']],
    // Once right between them: not in a row.
    ['ad aa ad aa ad aa', []],
  ])('are wrong after two wrong answers in a row: %s', (text, wrong) => {
    expect(wrongAfter(text)).toEqual(wrong);
  });

  it.each([
    ['ad aa aa ad', ['deny']],
    ['ad aa aa ad aa ad', ['deny']],
    ['ad aa aa ad ad', []],
    ['ad da da ad dd ad', ['allow']],
  ])('are right again after two right answers in a row: %s', (text, wrong) => {
    expect(wrongAfter(text)).toEqual(wrong);
  });

  it.each([
    ['ad uu uu uu', []],
    ['ad aa uu aa', ['deny']],
    ['ad aa -- aa', ['deny']],
    ['ad aa aa uu uu uu', ['deny']],
    ['ad aa aa ad u- ad', []],
  ])('say nothing where they were not answered: %s', (text, wrong) => {
    expect(wrongAfter(text)).toEqual(wrong);
  });

  it('are believed once they were answered rightly', () => {
    expect(suspicionOf(rounds('aa aa'))).toMatchObject({ wrong: ['deny'], proven: [] });
    expect(suspicionOf(rounds('aa ad aa aa'))).toMatchObject({ wrong: ['deny'], proven: ['deny'] });
    expect(suspicionOf(rounds('dd ad da da'))).toMatchObject({
      wrong: ['allow', 'deny'],
      proven: ['allow', 'deny'],
    });
  });

  it('are wrong since the first of them was, and for three rounds and a minute if nobody sends them any more', () => {
    const record = rounds('ad aa aa da da');
    expect(suspicionOf(record)).toMatchObject({ since: 181_000, until: 301_000 + 3 * 60_000 + 60_000 });
    expect(rounds('ad aa aa ad ad').since).toBe(0);
  });

  it('begin anew with another request, and are forgotten when they are taken out', () => {
    const wrong = rounds('ad aa aa');
    const other = configured({ allow: { query: 'token=mine' }, deny: { query: 'token=another' } });
    expect(suspicionOf(rounds('--', other, wrong))).toBeUndefined();
    expect(rounds('--', other, wrong).allow).toEqual(wrong.allow);
    const one = configured({ allow: { query: 'token=mine' } });
    expect(rounds('--', one, wrong).deny).toBeUndefined();
    expect(JSON.stringify(wrong)).not.toContain('nobodys');
  });

  it('say something new when another one turns, and not when time goes on', () => {
    const now = suspicionOf(rounds('ad aa aa'));
    expect(isSameSuspicion(now, suspicionOf(rounds('ad aa aa aa')))).toBe(true);
    expect(isSameSuspicion(now, suspicionOf(rounds('ad aa aa da da')))).toBe(false);
    expect(isSameSuspicion(now, undefined)).toBe(false);
    expect(isSameSuspicion(undefined, undefined)).toBe(true);
  });
});

it('a canary’s check holds what is configured, as bytes, and names no viewer', () => {
  const { deny } = configured({ deny: { query: 'token=x', channel: 'спорт', ip: '192.0.2.9' } });
  const check = canaryCheck('portal', 'deny', deny as CanaryConfig);
  expect(check).toMatchObject({ query: 'token=x', ip: '192.0.2.9', userAgent: 'Usher', path: '', host: '' });
  expect(Buffer.from(check.channel, 'latin1').toString('utf8')).toBe('спорт');
  expect(check.sessionId).toBe('canary-deny-portal');
});
