import { UsualTime } from './usual-time.js';

describe('how long a call usually takes', () => {
  it('is not known before the first one', () => {
    expect(new UsualTime().ms).toBeUndefined();
  });

  it('comes near to what calls take that all take the same', () => {
    const usual = new UsualTime();
    for (let call = 0; call < 100; call += 1) usual.observe(40);
    expect(usual.ms).toBeGreaterThanOrEqual(40);
    expect(usual.ms).toBeLessThan(45);
  });

  it('is at the outside: few take longer', () => {
    const usual = new UsualTime();
    let longer = 0;
    for (let call = 0; call < 1_000; call += 1) {
      const took = 20 + ((call * 37) % 60);
      if (call > 50 && took > usual.ms!) longer += 1;
      usual.observe(took);
    }
    expect(longer).toBeLessThan(50);
    expect(usual.ms).toBeLessThan(200);
  });

  it('follows a backend that becomes slow, and one that recovers', () => {
    const usual = new UsualTime();
    for (let call = 0; call < 50; call += 1) usual.observe(20);
    for (let call = 0; call < 20; call += 1) usual.observe(800);
    expect(usual.ms).toBeGreaterThan(700);
    for (let call = 0; call < 60; call += 1) usual.observe(20);
    expect(usual.ms).toBeLessThan(100);
  });
});
