import { DenialBrake, type Belief } from './denial-brake.js';

const HELD_FOR = 600_000;

/** Time passes by a second with each answer. */
function world() {
  const brake = new DenialBrake(HELD_FOR);
  let now = 0;
  const note = (session: string, isDenied: boolean): Belief | undefined =>
    brake.note('portal', session, isDenied, (now += 1_000));
  return {
    wait: (ms: number): void => void (now += ms),
    allow: (session: string): void => void note(session, false),
    deny: (session: string) => note(session, true),
    allowAll: (many: number, from = 0): void => {
      for (let i = from; i < from + many; i += 1) note(`paid-${i}`, false);
    },
    denyAll: (many: number): (Belief | undefined)[] =>
      Array.from({ length: many }, (_, i) => note(`refused-${i}`, true)),
  };
}

describe('a denial of who was allowed before', () => {
  it('is held the first time, and believed when it comes again and 20 more were answered', () => {
    const { allowAll, deny } = world();
    allowAll(50);
    expect(deny('anna')).toBe('held');
    allowAll(19, 50);
    expect(deny('anna')).toBe('held');
    allowAll(1, 69);
    expect(deny('anna')).toBe('believed');
  });

  it('is never believed from a portal that begins to deny everybody, whatever it said before', () => {
    for (const before of [0, 20, 100]) {
      const { allowAll, denyAll, wait } = world();
      allowAll(before);
      // For longer than an hour.
      for (let round = 0; round < 40; round += 1) {
        expect(denyAll(60)).not.toContain('believed');
        wait(60_000);
      }
    }
  });

  it('is not believed after a time from a small portal that denies everybody', () => {
    const { denyAll, wait } = world();
    for (let round = 0; round < 60; round += 1) {
      expect(denyAll(15)).not.toContain('believed');
      wait(90_000);
    }
  });

  it('is believed after a time where hardly anybody is asked about', () => {
    const { deny, wait } = world();
    expect(deny('anna')).toBe('held');
    wait(HELD_FOR - 2_000);
    expect(deny('anna')).toBe('held');
    wait(2_000);
    expect(deny('anna')).toBe('believed');
  });

  it('is believed after a time where half of a small portal’s viewers do not pay, and it allows the others', () => {
    const { allowAll, denyAll, wait } = world();
    expect(denyAll(7)).not.toContain('believed');
    wait(HELD_FOR);
    allowAll(7);
    expect(denyAll(7)).toEqual(Array(7).fill('believed'));
  });

  it('begins anew where the session was allowed in between', () => {
    const { allow, deny, wait } = world();
    deny('anna');
    wait(HELD_FOR);
    allow('anna');
    expect(deny('anna')).toBe('held');
  });

  it('counts once for each session, however often it comes again, and though only those are asked about then', () => {
    const { allowAll, denyAll, wait } = world();
    allowAll(100);
    expect(denyAll(20)).not.toContain('believed');
    wait(60_000);
    expect(denyAll(20)).not.toContain('believed');
    allowAll(20, 100);
    wait(60_000);
    expect(denyAll(20)).toEqual(Array(20).fill('believed'));
  });

  it('is doubted no longer when the hour is over in which too many were refused', () => {
    const { allowAll, denyAll, deny, wait } = world();
    expect(denyAll(25).slice(19)).toEqual(Array(6).fill('doubted'));
    wait(3_600_000);
    deny('anna');
    allowAll(40);
    expect(deny('anna')).toBe('believed');
  });

  it('is told from those of other backends', () => {
    const brake = new DenialBrake(HELD_FOR);
    for (let i = 0; i < 30; i += 1) brake.note('portal', `refused-${i}`, true, i);
    for (let i = 0; i < 30; i += 1) brake.note('billing', `paid-${i}`, false, i);
    expect(brake.note('portal', 'anna', true, 40)).toBe('doubted');
    expect(brake.note('billing', 'anna', true, 40)).toBe('held');
  });
});
