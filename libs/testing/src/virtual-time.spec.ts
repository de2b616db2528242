import { setTimeout as delay } from 'node:timers/promises';
import { VirtualTime } from './virtual-time.js';

describe('VirtualTime', () => {
  it('ends pauses in their order, and has their time pass', async () => {
    const time = new VirtualTime(0);
    const ended: [number, number][] = [];
    const sleep = async (ms: number): Promise<void> => {
      await time.pause(ms);
      ended.push([ms, time.clock.now()]);
    };
    await time.until(Promise.all([sleep(3_600_000), sleep(10), sleep(500)]));
    expect(ended).toEqual([
      [10, 10],
      [500, 500],
      [3_600_000, 3_600_000],
    ]);
  });

  it('stands still while somebody works', async () => {
    const time = new VirtualTime(0);
    let whileWorking: number | undefined;
    const working = time.working(async () => {
      await delay(20);
      whileWorking = time.clock.now();
    });
    await time.until(Promise.all([working, time.pause(1_000)]));
    expect([whileWorking, time.clock.now()]).toEqual([0, 1_000]);
  });

  it('ends a pause by its signal, and says where nothing would ever happen', async () => {
    const time = new VirtualTime(0);
    const ended = new AbortController();
    const sleeping = time.pause(1_000, ended.signal);
    ended.abort();
    await sleeping;
    expect(time.clock.now()).toBe(0);
    await expect(time.until(new Promise(() => undefined))).rejects.toThrow('nobody works');
  });
});
