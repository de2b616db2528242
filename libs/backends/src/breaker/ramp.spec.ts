import { ManualClock } from '#usher/testing';
import { RampShare, rampRate } from './ramp.js';

describe('a ramp', () => {
  it('lets 10, 25, 50 and 100 percent of the former rate through', () => {
    const rates = [0, 1, 2, 3].map((step) => rampRate({ rateBefore: 1_000, step }));
    expect(rates).toEqual([100, 250, 500, 1_000]);
  });

  it('lets ten a second through at least', () => {
    expect(rampRate({ rateBefore: 20, step: 0 })).toBe(10);
    expect(rampRate({ rateBefore: 20, step: 3 })).toBe(20);
  });

  /** Asks `perSecond` times a second for ten seconds; how many were let through. */
  function admitted(rate: number, perSecond: number, known: (call: number) => boolean): [number, number] {
    const clock = new ManualClock();
    const share = new RampShare(clock);
    const through: [number, number] = [0, 0];
    for (let call = 0; call < perSecond * 10; call += 1) {
      clock.advance(1000 / perSecond);
      if (share.admits(rate, known(call))) through[known(call) ? 1 : 0] += 1;
    }
    return through;
  }

  it('lets no more through than its share', () => {
    const [unknown, known] = admitted(10, 1_000, (call) => call % 2 === 0);
    expect(unknown + known).toBeLessThanOrEqual(10 * 10 + 1);
    expect(unknown + known).toBeGreaterThanOrEqual(10 * 10 - 10);
  });

  it('lets known viewers go first', () => {
    const [unknown, known] = admitted(10, 1_000, (call) => call % 2 === 0);
    expect(known).toBeGreaterThan(90);
    expect(unknown).toBeLessThan(5);
  });

  it('lets unknown viewers through where no known one wants to, however small the share', () => {
    expect(admitted(10, 1_000, () => false)[0]).toBeGreaterThanOrEqual(90);
    expect(admitted(0.5, 1_000, () => false)[0]).toBeGreaterThanOrEqual(3);
  });
});
