import { setTimeout as delay } from 'node:timers/promises';
import { Samples } from '../statistics.js';
import { Connection } from './connection.js';
import type { LoadJob, LoadReport } from './load-job.js';
import { closedLoop } from './closed-loop.js';
import { openLoop } from './open-loop.js';
import type { Run } from './run.js';
import { checkOf, viewerRequest } from './viewers.js';

/** More viewers than this are written as they ask, fewer in advance. */
const PREPARED = 20_000;
/** What is not answered so long after the end fails the run, ms. */
const PATIENCE = 10_000;

/** Runs one job to its end. Rejects when a connection breaks or an answer does not come. */
export async function runLoad(job: LoadJob): Promise<LoadReport> {
  const samples = new Samples();
  const next = checks(job);
  let [sent, done, refused, inFlight] = [0, 0, 0, 0];
  let measuring = false;
  let [began, ended] = [0, 0];
  let [cpuBegan, cpuEnded] = [0, 0];
  const answered = (connection: Connection, status: number): void => {
    inFlight -= 1;
    done += 1;
    if (status !== 200) refused += 1;
    else if (measuring) samples.add(performance.now() - connection.since);
    run.onFree(connection);
  };
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => undefined);
  const broken = (): void => fail(new Error('the server closed a connection'));
  const opened = Array.from({ length: job.connections }, () =>
    Connection.open(job.port, { answered, broken }),
  );
  const run: Run = {
    connections: await Promise.all(opened),
    send: (connection, since) => {
      connection.since = since;
      connection.send(next(sent));
      sent += 1;
      inFlight += 1;
    },
    begin: () => {
      measuring = true;
      began = performance.now();
      cpuBegan = cpuSeconds();
    },
    end: () => {
      measuring = false;
      ended = performance.now();
      cpuEnded = cpuSeconds();
    },
    onFree: () => undefined,
  };
  const { loop } = job;
  try {
    await Promise.race([
      failed,
      loop.kind === 'closed' ? closedLoop(run, loop, job.count) : openLoop(run, loop),
    ]);
    run.onFree = () => undefined;
    const patientUntil = performance.now() + PATIENCE;
    while (inFlight > 0 && performance.now() < patientUntil) await Promise.race([failed, delay(5)]);
    if (ended === 0) run.end();
  } finally {
    for (const connection of run.connections) connection.close();
  }
  if (inFlight > 0) throw new Error(`${inFlight} of ${sent} checks were not answered, ${done} were`);
  const seconds = (ended - began) / 1000;
  return {
    answered: samples.count,
    refused,
    rate: samples.count / seconds,
    latency: samples.latency(),
    viewers: Math.min(sent, job.count),
    generatorBusy: (cpuEnded - cpuBegan) / seconds,
  };
}

function checks({ first, count, asker }: LoadJob): (index: number) => Buffer | string {
  const requestOf = asker === 'viewer' ? viewerRequest : checkOf;
  if (count > PREPARED) return (index) => requestOf(first + (index % count));
  const prepared = Array.from({ length: count }, (_, i) => Buffer.from(requestOf(first + i), 'latin1'));
  return (index) => prepared[index % count]!;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
