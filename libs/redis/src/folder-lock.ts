import { createHash } from 'node:crypto';
import { realpath, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A Unix socket's path may not be longer (108 bytes on Linux, 104 elsewhere). */
const LONGEST_PATH = 100;

export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Takes a folder for this process alone, until it is released or the process ends, however it ends. The lock is a
 * listening socket: unlike a process id in a file it cannot outlive its owner or be somebody else's. Rejects with the
 * owner's process id.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = await socketPath(folder);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const server = await listen(path);
    if (server !== undefined) {
      return { release: () => new Promise((resolve) => server.close(() => resolve())) };
    }
    const owner = await askOwner(path);
    if (owner !== undefined) {
      throw new Error(
        `The data folder ${folder} is in use by another Usher (process ${owner}); set data to another one.`,
      );
    }
    // Left behind by a process that was killed.
    await rm(path, { force: true });
  }
  throw new Error(`The data folder ${folder} could not be taken: ${path} comes back again and again.`);
}

async function socketPath(folder: string): Promise<string> {
  const real = await realpath(folder);
  const path = join(real, 'usher.lock');
  if (Buffer.byteLength(path) <= LONGEST_PATH) return path;
  const name = createHash('sha256').update(real).digest('hex').slice(0, 24);
  return join(tmpdir(), `usher-${name}.lock`);
}

function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(String(process.pid));
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => resolve(server));
    server.unref();
  });
}

function askOwner(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let owner = '';
    const socket = connect(path);
    // An owner too busy to answer is an owner.
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on('connect', () => (owner = '?'));
    socket.on('data', (data) => (owner = String(data)));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(owner === '' ? undefined : owner));
  });
}
