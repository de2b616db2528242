import type { Check } from '#usher/domain';
import fc from 'fast-check';
import { LastAnswers } from './last-answers.js';
import type { Remembered } from './last-answers.js';
import { whyRecord } from './why-record.js';

const check: Check = {
  id: 'c1',
  dialect: 'astra',
  edge: 'astra-1',
  sessionId: 's1',
  sessionGiven: true,
  channel: 'news',
  ip: '192.0.2.1',
  path: '/news',
  userAgent: 'VLC',
  host: 'tv.example.com',
  origin: '',
  query: 'token=1',
};

function remembered(n: number): Remembered {
  const decision = { allow: true, source: 'backend', reason: 'backend-allowed' } as const;
  const record = whyRecord({ ...check, id: `c${n}` }, { decision }, undefined, n);
  return {
    record,
    plain: true,
    edge: 'astra-1',
    sessionId: `s${n}`,
    channel: 'news',
    user: undefined,
    repeats: 0,
    lastAt: n,
  };
}

describe('LastAnswers', () => {
  it('holds the last of each name, the newest first, and never more than its bound in all', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 200 }), (names) => {
        const last = new LastAnswers(3, 12);
        names.forEach((name, n) => last.add(String(name), remembered(n)));
        let total = 0;
        for (let name = 0; name < 10; name += 1) {
          const given = names.flatMap((one, n) => (one === name ? [n] : [])).reverse();
          const kept = last.of(String(name)).map((one) => one.lastAt);
          expect(kept.length).toBeLessThanOrEqual(3);
          expect(kept).toEqual(given.slice(0, kept.length));
          total += kept.length;
        }
        expect(total).toBe(last.total);
        expect(total).toBeLessThanOrEqual(12);
        if (names.length > 0) expect(last.of(String(names.at(-1)))[0]?.lastAt).toBe(names.length - 1);
      }),
    );
  });

  it('refuses a bound that not even one list fits', () => {
    expect(() => new LastAnswers(20, 19)).toThrow(RangeError);
  });
});
