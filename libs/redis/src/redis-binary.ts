import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { isAtLeast } from './check-redis.js';

const run = promisify(execFile);

const NAMES = ['redis-server', 'valkey-server'];

/**
 * The first of these programs (names on the PATH, or paths) that is new enough. Rejects with a sentence that says what
 * to install.
 */
export async function findRedisBinary(candidates: readonly string[] = NAMES): Promise<string> {
  const rejected: string[] = [];
  for (const file of candidates) {
    const words = await versionOf(file);
    // "Redis server v=7.0.15 …", "Valkey server v=8.0.1 …"
    const version = /\bv=(\S+)/.exec(words)?.[1];
    if (version === undefined) continue;
    if (isAtLeast(version, words.startsWith('Valkey') ? [7, 2] : [7, 0])) return file;
    rejected.push(`${file} is ${version}`);
  }
  throw new Error(
    `Without redis.url Usher runs its own Redis, and needs redis-server 7.0 or valkey-server 7.2 or later for it ` +
      `(${rejected.length === 0 ? 'none found' : rejected.join(', ')}). ` +
      `Install it (Debian and Ubuntu: apt-get install redis-server) or set redis.url.`,
  );
}

async function versionOf(file: string): Promise<string> {
  try {
    return (await run(file, ['--version'], { timeout: 5_000 })).stdout;
  } catch {
    return '';
  }
}
