import { execFile } from 'node:child_process';
import { readFile, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connectRedis } from './connect-redis.js';

const run = promisify(execFile);

/** Which redis-server serves a data folder; written beside the data. */
export interface ServerRecord {
  readonly pid: number;
  readonly port: number;
}

/** How long a server may take to write its data and go before it is killed, ms. */
const GO_WITHIN = 10_000;

const recordPath = (folder: string): string => join(folder, 'server.json');

export async function readRecord(folder: string): Promise<ServerRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(recordPath(folder), 'utf8')) as Partial<ServerRecord>;
    return Number.isInteger(record.pid) && Number.isInteger(record.port)
      ? (record as ServerRecord)
      : undefined;
  } catch {
    return undefined;
  }
}

export async function writeRecord(folder: string, record: ServerRecord): Promise<void> {
  await writeFile(recordPath(folder), `${JSON.stringify(record)}\n`);
}

/**
 * Ends the server that an Usher which was killed left behind: only one process may write a data folder. Any other
 * process that has got its id since is left alone. Gives back the process id where there was one.
 */
export async function endOrphan(folder: string): Promise<number | undefined> {
  const record = await readRecord(folder);
  if (record === undefined || !(await isAlive(record.pid)) || !(await isServerOf(folder, record)))
    return undefined;
  await endProcess(record.pid);
  return record.pid;
}

/** SIGTERM (a redis-server then writes what it has), and SIGKILL where that does not help. */
export async function endProcess(pid: number): Promise<void> {
  signal(pid, 'SIGTERM');
  // A stopped process takes no SIGTERM.
  signal(pid, 'SIGCONT');
  const deadline = performance.now() + GO_WITHIN;
  while (await isAlive(pid)) {
    const over = performance.now() - deadline;
    if (over > GO_WITHIN) throw new Error(`process ${pid} cannot be ended`);
    if (over > 0) signal(pid, 'SIGKILL');
    await sleep(20);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}

/** A process that ended and that nobody waited for (as in containers without an init) is not alive. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return !/\) Z /.test(state);
}

/** By its own word where it answers; one that hangs, by its title (`redis-server 127.0.0.1:40123`). */
async function isServerOf(folder: string, { pid, port }: ServerRecord): Promise<boolean> {
  const client = connectRedis({ url: `redis://127.0.0.1:${port}`, timeout: 1_000 });
  try {
    if (await client.ready(1_000)) {
      const info = String(await client.call('INFO', ['server']));
      const reply = await client.call('CONFIG', ['GET', 'dir']);
      const dir = Array.isArray(reply) ? String(reply[1]) : '';
      return info.includes(`process_id:${pid}\r`) && dir === (await realpath(folder));
    }
    const title = await titleOf(pid);
    return /(redis|valkey)-server/.test(title) && title.includes(`:${port}`);
  } finally {
    await client.close();
  }
}

async function titleOf(pid: number): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    const { stdout } = await run('ps', ['-o', 'args=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
    return stdout;
  }
}
