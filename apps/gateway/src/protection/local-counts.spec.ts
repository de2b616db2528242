import { ManualClock } from '#usher/testing';
import { LocalCounts } from './local-counts.js';

const LIMIT = { limit: 32, window: 60_000 };
const counts = (suspects = 100, things = 10_000) => {
  const clock = new ManualClock();
  return { clock, local: new LocalCounts(clock, suspects, things) };
};

describe('what one gateway sees', () => {
  it('is told to the cluster from an eighth of the limit on: first all of it, then each thing', () => {
    const { local } = counts();
    expect(['a', 'b', 'c', 'c'].flatMap((thing) => local.add('x', thing, LIMIT))).toEqual([]);
    expect(local.add('x', 'd', LIMIT)).toEqual(['a', 'b', 'c', 'd']);
    expect(local.add('x', 'e', LIMIT)).toEqual(['e']);
    expect(local.add('x', 'e', LIMIT)).toEqual([]);
  });

  it('of an ordinary viewer is told to nobody', () => {
    const { local } = counts();
    for (let i = 0; i < 1_000; i += 1) expect(local.add('home', 'the same', LIMIT)).toEqual([]);
  });

  it('starts anew with each window', () => {
    const { local, clock } = counts();
    for (const thing of ['a', 'b', 'c']) local.add('x', thing, LIMIT);
    clock.advance(60_000);
    expect(local.add('x', 'd', LIMIT)).toEqual([]);
  });

  it('is bounded in suspects and in what is known of one', () => {
    const { local } = counts(10);
    for (let i = 0; i < 50; i += 1) local.add(`suspect-${i}`, 'a', LIMIT);
    expect(local.size).toBe(10);
    const told = Array.from({ length: 100 }, (_, i) => local.add('x', `thing-${i}`, LIMIT)).flat();
    expect(told).toHaveLength(33);
  });

  it('is bounded in all that is known of all: who was not seen for the longest time is forgotten', () => {
    const { local } = counts(1_000, 50);
    for (let i = 0; i < 500; i += 1) {
      local.add(`suspect-${i % 100}`, `thing-${i}`, LIMIT);
      expect(local.things).toBeLessThanOrEqual(50);
    }
    expect(local.size).toBeGreaterThan(5);
    local.forget('suspect-99');
    local.add('suspect-98', 'anew', { ...LIMIT, limit: 400 });
    expect(local.things).toBeLessThanOrEqual(50);
  });

  it('is forgotten when its window is over, though nobody hears of those again', () => {
    const { local, clock } = counts();
    for (let i = 0; i < 50; i += 1) local.add(`suspect-${i}`, 'a', LIMIT);
    clock.advance(60_000);
    for (let i = 0; i < 30; i += 1) local.add('somebody else', `thing-${i}`, LIMIT);
    expect(local.size).toBe(1);
    expect(local.things).toBe(30);
  });
});
