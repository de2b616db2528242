import { ManualClock } from '#usher/testing';
import { FailedLogins } from './failed-logins.js';
import { tokenDigest } from './token-table.js';

const guess = (logins: FailedLogins, address: string, count: number): boolean =>
  Array.from({ length: count }, (_, i) => logins.note(address, tokenDigest(`guess ${i}`))).some(Boolean);

describe('failed logins', () => {
  it('lock an address after ten different tokens, for a minute', () => {
    const clock = new ManualClock();
    const logins = new FailedLogins(clock);
    expect(guess(logins, '192.0.2.1', 9)).toBe(false);
    expect(logins.lockedFor('192.0.2.1')).toBe(0);
    expect(guess(logins, '192.0.2.1', 10)).toBe(true);
    expect(logins.lockedFor('192.0.2.1')).toBe(60);
    expect(logins.lockedFor('192.0.2.2')).toBe(0);
    clock.advance(60_000);
    expect(logins.lockedFor('192.0.2.1')).toBe(0);
  });

  it('count one token once, however often it comes, and forget with time', () => {
    const clock = new ManualClock();
    const logins = new FailedLogins(clock);
    for (let i = 0; i < 100; i += 1) expect(logins.note('192.0.2.1', tokenDigest('old'))).toBe(false);
    guess(logins, '192.0.2.1', 8);
    clock.advance(600_000);
    expect(logins.note('192.0.2.1', tokenDigest('another'))).toBe(false);
  });

  it('take a /64 of IPv6 for one address, and remember a bounded number of them', () => {
    const logins = new FailedLogins(new ManualClock());
    guess(logins, '2001:db8::1', 5);
    expect(
      Array.from({ length: 5 }, (_, i) => logins.note('2001:db8::2', tokenDigest(`more ${i}`))).at(-1),
    ).toBe(true);
    for (let i = 0; i < 1_000; i += 1) logins.note(`address-${i}`, tokenDigest('x'));
    expect(logins.lockedFor('2001:db8::1')).toBe(0);
  });
});
