import { ManualClock } from '#usher/testing';
import { Pacer } from './pacer.js';

describe('the pacer', () => {
  it('is off where no pace is set', () => {
    const pacer = new Pacer(new ManualClock(), () => Infinity);
    for (let call = 0; call < 10_000; call += 1) expect(pacer.reserve(0)).toBe(0);
  });

  it('lets calls go at its pace, with a tenth of a second’s at once', () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock, () => 100);
    let sent = 0;
    for (let ms = 0; ms < 10_000; ms += 1) {
      while (pacer.reserve(0) === 0) sent += 1;
      clock.advance(1);
    }
    expect(sent).toBeGreaterThanOrEqual(1_000);
    expect(sent).toBeLessThanOrEqual(1_010);
  });

  it('says how long to wait, and refuses what would wait longer', () => {
    const pacer = new Pacer(new ManualClock(), () => 4);
    expect([1, 2, 3].map(() => pacer.reserve(500))).toEqual([0, 250, 500]);
    expect(pacer.reserve(500)).toBeUndefined();
    expect(pacer.reserve(750)).toBe(750);
  });

  it('leaves to those who wait behind everybody what others do not take, and no viewer waits for them', () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock, () => 100);
    const waits: number[] = [];
    let [first, last] = [0, 0];
    for (let ms = 0; ms < 10_000; ms += 1) {
      // Sixty viewers a second, three at a time.
      if (ms % 50 === 0)
        for (let i = 0; i < 3; i += 1) {
          waits.push(pacer.reserve(500)!);
          first += 1;
        }
      for (let i = 0; i < 16; i += 1) if (pacer.reserveLast() === 0) last += 1;
      clock.advance(1);
    }
    expect(first).toBe(600);
    expect(Math.max(...waits)).toBe(0);
    expect(last).toBeGreaterThan(380);
    expect(first + last).toBeLessThanOrEqual(1_010);
  });

  it('leaves nothing where viewers take all of it, and is off for both where no pace is set', () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock, () => 100);
    let last = 0;
    for (let ms = 0; ms < 5_000; ms += 1) {
      if (ms % 10 === 0) expect(pacer.reserve(500)).toBeLessThanOrEqual(10);
      if (pacer.reserveLast() === 0) last += 1;
      clock.advance(1);
    }
    expect(last).toBeLessThan(20);
    expect(new Pacer(clock, () => Infinity).reserveLast()).toBe(0);
  });

  it('follows its share as processes come and go', () => {
    let share = 1;
    const pacer = new Pacer(new ManualClock(), () => 100 * share);
    share = 1 / 4;
    expect(pacer.pace).toBe(25);
  });

  it('halves at a complaint, once for all calls under way, and recovers step by step', () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock, () => 100);
    for (let call = 0; call < 20; call += 1) pacer.slowDown();
    expect(pacer.pace).toBe(50);
    clock.advance(1_000);
    pacer.slowDown();
    expect(pacer.pace).toBe(25);
    clock.advance(5_000);
    expect(pacer.pace).toBe(37.5);
    clock.advance(10_000);
    expect(pacer.pace).toBeCloseTo(84.4, 1);
    clock.advance(10_000);
    expect(pacer.pace).toBe(100);
  });

  it('halves what was really sent where no pace is set, and then lets go again', () => {
    const clock = new ManualClock();
    const pacer = new Pacer(clock, () => Infinity);
    for (let call = 0; call < 200; call += 1) {
      clock.advance(10);
      pacer.reserve(0);
    }
    pacer.slowDown();
    expect(pacer.pace).toBeGreaterThan(40);
    expect(pacer.pace).toBeLessThanOrEqual(51);
    clock.advance(20_000);
    expect(pacer.pace).toBe(Infinity);
  });
});
