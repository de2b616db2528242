import type { RedisClient } from './client.js';

export interface RedisFinding {
  /** `error`: Usher cannot work with this Redis. `warn`: it can, and something may be lost or slow. */
  readonly level: 'warn' | 'error';
  readonly text: string;
}

/** INFO may be slow on a busy server; the start can wait, ms. */
const PATIENCE = 2_000;

/**
 * What an operator should know about this Redis at start: its version, what it does when memory is full, whether data
 * survives a restart. Of a Cluster one node is asked. Managed services forbid CONFIG: then it says so.
 */
export async function checkRedis(client: RedisClient): Promise<RedisFinding[]> {
  let info: ReadonlyMap<string, string>;
  try {
    info = readInfo(String(await client.call('INFO', [], PATIENCE)));
  } catch (error) {
    return [warn(`Redis could not be asked about itself: ${messageOf(error)}`)];
  }
  const findings = [checkVersion(info), checkEviction(info), await checkPersistence(client, info)];
  return findings.filter((finding) => finding !== undefined);
}

function checkVersion(info: ReadonlyMap<string, string>): RedisFinding | undefined {
  const valkey = info.get('valkey_version');
  const [product, version, needed] =
    valkey === undefined ? ['Redis', info.get('redis_version') ?? '?', [7, 0]] : ['Valkey', valkey, [7, 2]];
  return isAtLeast(version, needed as [number, number])
    ? undefined
    : { level: 'error', text: `${product} ${version} is too old: ${needed.join('.')} or later is needed` };
}

function checkEviction(info: ReadonlyMap<string, string>): RedisFinding | undefined {
  const policy = info.get('maxmemory_policy') ?? 'noeviction';
  if (policy === 'noeviction') return undefined;
  return warn(`maxmemory-policy is ${policy}: a full Redis would drop sessions; set it to noeviction`);
}

async function checkPersistence(
  client: RedisClient,
  info: ReadonlyMap<string, string>,
): Promise<RedisFinding | undefined> {
  if (info.get('aof_enabled') === '1') return undefined;
  try {
    const reply = await client.call('CONFIG', ['GET', 'save'], PATIENCE);
    const snapshots = Array.isArray(reply) && reply[1] !== '';
    return snapshots
      ? warn('Redis keeps snapshots only: a crash loses what came after the last one; set appendonly yes')
      : warn('Redis keeps nothing on disk: a restart empties it; set appendonly yes');
  } catch (error) {
    return warn(`appendonly is off, and whether snapshots are kept cannot be seen: ${messageOf(error)}`);
  }
}

/** The lines of INFO; managed services may leave some out. */
function readInfo(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

/** True for `7.0.15` against [7, 0]. What is no version is none. */
export function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const match = /^(\d+)\.(\d+)/.exec(version);
  if (match === null) return false;
  const found = [Number(match[1]), Number(match[2])] as const;
  return found[0] > major || (found[0] === major && found[1] >= minor);
}

function warn(text: string): RedisFinding {
  return { level: 'warn', text };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
