import { ManualClock } from '#usher/testing';
import { LocalCounts } from './local-counts.js';

const LIMIT = { limit: 32, window: 60_000 };
const counts = (suspects = 100) => {
  const clock = new ManualClock();
  return { clock, local: new LocalCounts(clock, suspects) };
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
});
