import { oneByOne } from './one-by-one.js';

describe('a page of calls', () => {
  it('is gone through in its order, two at a time', async () => {
    let [now, most] = [0, 0];
    const results = await oneByOne([1, 2, 3, 4, 5], async (n) => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      return n * 10;
    });
    expect(results).toEqual([10, 20, 30, 40, 50]);
    expect(most).toBe(2);
  });

  it('begins no further call when it has taken too long', async () => {
    const begun: number[] = [];
    const results = await oneByOne(
      [1, 2, 3, 4],
      async (n) => {
        begun.push(n);
        await new Promise((resolve) => setTimeout(resolve, 100));
        return n;
      },
      50,
    );
    expect(begun).toEqual([1, 2]);
    expect(results).toEqual([1, 2, undefined, undefined]);
  });
});
