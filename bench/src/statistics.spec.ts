import { compared, inTurns } from './pairs.js';
import { median, mostWithin, Samples } from './statistics.js';

describe('medians', () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 2, 3], 2.5],
    [[0, 0], 0],
    [[7], 7],
  ])('of %j is %d', (values, middle) => {
    expect(median(values)).toBe(middle);
  });

  it('of nothing is no number', () => {
    expect(median([])).toBeNaN();
  });
});

describe('percentiles', () => {
  it('are samples that came, by nearest rank, whatever their order', () => {
    const samples = new Samples();
    for (let i = 1000; i > 0; i -= 1) samples.add(i);
    expect(samples.latency()).toEqual({ p50: 500, p99: 990, p999: 999, max: 1000 });
  });

  it('count every sample of a long run', () => {
    const samples = new Samples();
    for (let i = 1; i <= 200_000; i += 1) samples.add(i);
    expect(samples.count).toBe(200_000);
    expect(samples.latency().p50).toBe(100_000);
  });
});

describe('the busiest window', () => {
  it.each([
    [[], 10, 0],
    [[5], 10, 1],
    [[0, 10, 20, 30], 10, 1],
    [[0, 9.9, 20, 29, 29.5], 10, 3],
    [[40, 0, 1, 45, 44, 2], 10, 3],
  ])('of %j and width %d holds %d', (instants, width, most) => {
    expect(mostWithin(instants, width)).toBe(most);
  });
});

describe('pairs', () => {
  it('alternate, and change their order each time', async () => {
    const order: string[] = [];
    const run = (name: string) => (): Promise<number> => Promise.resolve(order.push(name));
    await inTurns(3, run('a'), run('b'));
    expect(order.join('')).toBe('abbaab');
  });

  it('are compared each within itself: one bad moment of the machine moves no ratio', () => {
    const pairs = [
      { a: 80, b: 100 },
      { a: 8, b: 10 },
      { a: 70, b: 100 },
    ];
    expect(compared(pairs)).toMatchObject({ value: 70, beside: 100, ratio: 0.8, noisy: false });
  });

  it('that do not agree are told to be noisy', () => {
    expect(
      compared([
        { a: 50, b: 100 },
        { a: 80, b: 100 },
      ]).noisy,
    ).toBe(true);
  });
});
