import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Effort, Figures } from '../figure.js';
import { checkOf } from '../load/viewers.js';
import { startProgram, type Child } from '../processes/children.js';
import { freePort } from '../processes/free-port.js';
import { startTrivialBackend } from '../processes/http-server.js';
import { configuration, USHER_MAIN } from '../processes/usher.js';
import { median, spread } from '../statistics.js';

const AIM = 2;
const WITHIN = 30_000;

/** From `usher start`, gateway, worker, control and a Redis of its own in an empty folder, to the first allowed check. */
export async function startToFirstAnswer({ repetitions }: Effort): Promise<Figures> {
  const backend = await startTrivialBackend();
  const times: number[] = [];
  try {
    for (let i = 0; i < repetitions; i += 1) times.push(await once(backend.port));
  } finally {
    await backend.stop();
  }
  const value = median(times);
  const aim = { text: `< ${AIM} s`, met: value < AIM };
  return { startToFirstAnswer: { value, unit: 's', spread: spread(times), aim } };
}

async function once(backendPort: number): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'usher-bench-'));
  const [port, healthPort] = [await freePort(), await freePort()];
  const file = join(dir, 'usher.json');
  await writeFile(file, JSON.stringify(configuration({ backendPort }, join(dir, 'data'), port, healthPort)));
  const began = performance.now();
  const usher = startProgram(process.execPath, [fileURLToPath(USHER_MAIN), 'start', '--config', file], dir);
  try {
    while (!(await isAnswered(port))) {
      if (usher.process.exitCode !== null || performance.now() - began > WITHIN) {
        throw new Error(`usher start did not answer:\n${usher.output()}`);
      }
      await delay(5);
    }
    return (performance.now() - began) / 1000;
  } finally {
    await end(usher);
    await rm(dir, { recursive: true, force: true });
  }
}

/** Gracefully, for it has a Redis of its own to end. */
async function end(usher: Child): Promise<void> {
  const gone = new Promise((resolve) => usher.process.once('exit', resolve));
  usher.process.kill('SIGTERM');
  await gone;
}

/** False where nobody listens yet. */
function isAnswered(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(checkOf(1)));
    socket.once('data', (answer) => {
      socket.destroy();
      resolve(answer.toString('latin1').startsWith('HTTP/1.1 200 '));
    });
    socket.once('error', () => resolve(false));
  });
}
