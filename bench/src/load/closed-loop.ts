import { setTimeout as delay } from 'node:timers/promises';
import type { ClosedLoop } from './load-job.js';
import type { Run } from './run.js';

/** Resolves when the time is over, or when each of the viewers has asked once. */
export async function closedLoop(
  run: Run,
  { seconds, warm = 0 }: ClosedLoop,
  viewers: number,
): Promise<void> {
  if (seconds === undefined) return once(run, viewers);
  let running = true;
  run.onFree = (connection) => {
    if (running) run.send(connection, performance.now());
  };
  run.connections.forEach((connection) => run.onFree(connection));
  await delay(warm * 1000);
  run.begin();
  await delay((seconds - warm) * 1000);
  run.end();
  running = false;
}

function once(run: Run, viewers: number): Promise<void> {
  return new Promise((resolve) => {
    let asked = 0;
    run.onFree = (connection) => {
      if (asked === viewers) return resolve();
      asked += 1;
      run.send(connection, performance.now());
    };
    run.begin();
    run.connections.forEach((connection) => run.onFree(connection));
  });
}
