import type { Connection } from './connection.js';
import type { OpenLoop } from './load-job.js';
import type { Run } from './run.js';

/**
 * Timers are not to be trusted below some milliseconds, and turning round until a check is due would take a whole core
 * from those that are measured. So the loop naps between its turns: an answer is noticed late by no more, ms.
 */
const NAP = 0.2;
const bed = new Int32Array(new SharedArrayBuffer(4));

/** Resolves when every check has been sent. One that finds no free connection waits, and its wait is counted. */
export function openLoop(run: Run, { rate, seconds, warm }: OpenLoop): Promise<void> {
  return new Promise((resolve) => {
    const free: Connection[] = [...run.connections];
    const total = Math.floor(rate * seconds);
    const unmeasured = Math.floor(rate * warm);
    const start = performance.now();
    let sent = 0;
    const due = (index: number): number => start + (index * 1000) / rate;
    const sendAllDue = (): void => {
      while (sent < total && free.length > 0 && due(sent) <= performance.now()) {
        if (sent === unmeasured) run.begin();
        run.send(free.pop()!, due(sent));
        sent += 1;
      }
    };
    const turn = (): void => {
      sendAllDue();
      if (sent === total) return resolve();
      if (due(sent) - performance.now() > NAP) Atomics.wait(bed, 0, 0, NAP);
      setImmediate(turn);
    };
    run.onFree = (connection) => {
      free.push(connection);
      sendAllDue();
    };
    turn();
  });
}
