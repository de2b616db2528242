import { ManualClock } from '#usher/testing';
import { Recent } from './recent.js';

describe('Recent', () => {
  it('forgets what is old, counted from when it was found out', () => {
    const clock = new ManualClock();
    const recent = new Recent<number>(clock, 10, 100);
    recent.set('a', 1);
    clock.advance(99);
    expect(recent.get('a')).toBe(1);
    clock.advance(1);
    expect(recent.get('a')).toBeUndefined();
    expect(recent.size).toBe(0);
  });

  it('holds so many, and drops what was not used for longest', () => {
    const recent = new Recent<number>(new ManualClock(), 2, 100);
    recent.set('a', 1);
    recent.set('b', 2);
    recent.get('a');
    recent.set('c', 3);
    expect([recent.size, recent.get('a'), recent.get('b'), recent.get('c')]).toEqual([2, 1, undefined, 3]);
  });
});
