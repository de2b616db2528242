import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from './connection.js';
import { checkOf } from './viewers.js';

/** Asks again so long after it asked, ms. */
const EVERY = 2;
const REFUSED = 403;

/** Asks one gateway about one viewer at a time, on a connection that stays open. */
export interface Probe {
  /** The status of the answer. Rejects where the connection breaks. */
  ask(viewer: number): Promise<number>;
  /**
   * Asks each 2 ms until the viewer is refused; resolves with the time that this answer came, of `performance.now()`.
   * Rejects where it does not come by that time, or another status than 200 and 403 does.
   */
  untilRefused(viewer: number, by: number): Promise<number>;
  close(): void;
}

/** Rejects where nobody listens. */
export async function startProbe(port: number): Promise<Probe> {
  let settle: ((status: number) => void) | undefined;
  let fail: ((error: Error) => void) | undefined;
  const connection = await Connection.open(port, {
    answered: (_, status) => settle?.(status),
    broken: () => fail?.(new Error('the gateway closed a connection')),
  });
  const ask = (viewer: number): Promise<number> =>
    new Promise((resolve, reject) => {
      [settle, fail] = [resolve, reject];
      connection.send(checkOf(viewer));
    });
  return {
    ask,
    untilRefused: async (viewer, by) => {
      for (;;) {
        const asked = performance.now();
        const status = await ask(viewer);
        const now = performance.now();
        if (status === REFUSED) return now;
        if (status !== 200) throw new Error(`viewer ${viewer} was answered ${status}`);
        if (now > by) throw new Error(`viewer ${viewer} is still let in`);
        await delay(Math.max(0, asked + EVERY - now));
      }
    },
    close: () => connection.close(),
  };
}
