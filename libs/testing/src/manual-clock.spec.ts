import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { ManualClock } from './manual-clock.js';

describe('ManualClock', () => {
  it('moves both readings by what passes, and only cluster time by a correction', () => {
    const clock = new ManualClock(1_000);
    clock.advance(250);
    expect([clock.monotonic(), clock.now()]).toEqual([250, 1_250]);
    clock.set(900);
    expect([clock.monotonic(), clock.now()]).toEqual([250, 900]);
  });

  it('refuses to go back', () => {
    expect(() => new ManualClock().advance(-1)).toThrow(RangeError);
  });
});

describe('eventually', () => {
  it('tries again while the probe throws or is false', async () => {
    let tries = 0;
    const value = await eventually(() => {
      tries += 1;
      if (tries === 1) throw new Error('not yet');
      return tries === 2 ? false : 'now';
    });
    expect([value, tries]).toEqual(['now', 3]);
  });

  it('rejects with the last failure at its deadline', async () => {
    const never = () => {
      throw new Error('the reason');
    };
    await expect(eventually(never, { withinMs: 20 })).rejects.toThrow('the reason');
  });
});

describe('freePort', () => {
  it('can be listened on', async () => {
    expect(await freePort()).toBeGreaterThan(1_023);
  });
});
