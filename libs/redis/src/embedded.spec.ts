import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '#usher/domain';
import type { Log } from '#usher/domain';
import { eventually } from '#usher/testing';
import { connectRedis } from './connect-redis.js';
import { startEmbeddedRedis } from './embedded.js';
import { isAlive } from './orphan.js';
import { findRedisBinary } from './redis-binary.js';

const EMBEDDED = new URL('embedded.js', import.meta.url).href;
let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'usher-data-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const record = () =>
  JSON.parse(readFileSync(join(dataDir, 'redis/server.json'), 'utf8')) as { pid: number; port: number };

async function ask(url: string, command: string, ...args: string[]): Promise<unknown> {
  const client = connectRedis({ url, timeout: 2_000 });
  await client.ready();
  const reply = await client.call(command, args);
  await client.close();
  return reply;
}

/** A process of its own that runs the embedded Redis, as `usher start` does, until it reads a line. */
async function startProcess(then = ''): Promise<{ usher: ChildProcess; url: string }> {
  const main = join(dataDir, `main-${Math.random()}.mjs`);
  writeFileSync(
    main,
    `import { startEmbeddedRedis } from ${JSON.stringify(EMBEDDED)};
     const log = { debug() {}, info() {}, warn() {}, error() {} };
     const redis = await startEmbeddedRedis({ dataDir: ${JSON.stringify(dataDir)}, log });
     process.stdin.once('data', async () => { await redis.stop(); process.exit(0); });
     process.on('SIGINT', () => console.log('interrupted'));
     console.log(redis.url);
     ${then}`,
  );
  const usher = spawn(process.execPath, [main], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const url = await new Promise<string>((resolve, reject) => {
    usher.stdout!.once('data', (data) => resolve(String(data).trim()));
    usher.once('exit', () => reject(new Error('it ended before it said where its Redis is')));
  });
  return { usher, url };
}

const ended = (child: ChildProcess) => new Promise((resolve) => child.once('exit', resolve));

describe('startEmbeddedRedis', () => {
  it('keeps its data from one run to the next', async () => {
    const first = await startEmbeddedRedis({ dataDir, log: silentLog });
    await ask(first.url, 'SET', 'key', 'value');
    expect(await ask(first.url, 'CONFIG', 'GET', 'maxmemory-policy')).toEqual([
      'maxmemory-policy',
      'noeviction',
    ]);
    expect(await ask(first.url, 'CONFIG', 'GET', 'appendfsync')).toEqual(['appendfsync', 'everysec']);
    const { pid } = record();
    await first.stop();
    expect(await isAlive(pid)).toBe(false);
    const second = await startEmbeddedRedis({ dataDir, log: silentLog });
    expect(await ask(second.url, 'GET', 'key')).toBe('value');
    await second.stop();
  });

  it('refuses a data folder that another Usher uses', async () => {
    const first = await startEmbeddedRedis({ dataDir, log: silentLog });
    await expect(startEmbeddedRedis({ dataDir, log: silentLog })).rejects.toThrow(
      `in use by another Usher (process ${process.pid})`,
    );
    expect(await ask(first.url, 'PING')).toBe('PONG');
    await first.stop();
  });

  it('runs beside another one in another folder', async () => {
    const other = join(dataDir, 'other');
    mkdirSync(other);
    const both = await Promise.all(
      [dataDir, other].map((folder) => startEmbeddedRedis({ dataDir: folder, log: silentLog })),
    );
    expect(both[0]!.url).not.toBe(both[1]!.url);
    await Promise.all(both.map((one) => one.stop()));
  });

  it('starts a server that died again, on the same port, with its data', async () => {
    const errors: string[] = [];
    const log: Log = { ...silentLog, error: (_, message) => errors.push(message) };
    const redis = await startEmbeddedRedis({ dataDir, log });
    await ask(redis.url, 'SET', 'key', 'value');
    const { pid } = record();
    process.kill(pid, 'SIGKILL');
    await eventually(() => record().pid !== pid);
    expect(await ask(redis.url, 'GET', 'key')).toBe('value');
    expect(errors).toEqual(['the embedded Redis died; it is started again']);
    await redis.stop();
  });

  it('ends with its Usher', async () => {
    const { usher } = await startProcess('process.exit(0);');
    await ended(usher);
    const { pid } = record();
    await eventually(async () => !(await isAlive(pid)));
  });

  it('outlives the terminal’s Ctrl-C until Usher stops it', async () => {
    const { usher, url } = await startProcess();
    const { pid } = record();
    const interrupted = new Promise((resolve) => usher.stdout!.once('data', resolve));
    process.kill(-usher.pid!, 'SIGINT');
    await interrupted;
    expect(await ask(url, 'PING')).toBe('PONG');
    usher.stdin!.write('stop\n');
    await ended(usher);
    await eventually(async () => !(await isAlive(pid)));
  });

  it.each(['alive', 'stopped'])('ends an orphan (%s) of a killed run, and keeps its data', async (state) => {
    const { usher, url } = await startProcess();
    await ask(url, 'SET', 'key', 'value');
    usher.kill('SIGKILL');
    await ended(usher);
    const orphan = record().pid;
    expect(await isAlive(orphan)).toBe(true);
    if (state === 'stopped') process.kill(orphan, 'SIGSTOP');
    const warnings: unknown[] = [];
    const log: Log = { ...silentLog, warn: (fields) => warnings.push(fields) };
    const redis = await startEmbeddedRedis({ dataDir, log });
    expect(warnings).toEqual([{ pid: orphan }]);
    expect(await ask(redis.url, 'GET', 'key')).toBe('value');
    await redis.stop();
  });

  it('leaves a stranger alone who got the process id of a former run', async () => {
    const stranger = spawn('sleep', ['60']);
    mkdirSync(join(dataDir, 'redis'));
    writeFileSync(join(dataDir, 'redis/server.json'), JSON.stringify({ pid: stranger.pid, port: 1 }));
    const redis = await startEmbeddedRedis({ dataDir, log: silentLog });
    expect(await isAlive(stranger.pid!)).toBe(true);
    await redis.stop();
    stranger.kill();
  });

  it('tells the server’s last words when it does not start', async () => {
    mkdirSync(join(dataDir, 'redis/appendonlydir'), { recursive: true });
    writeFileSync(join(dataDir, 'redis/appendonlydir/appendonly.aof.manifest'), 'no manifest\n');
    await expect(startEmbeddedRedis({ dataDir, log: silentLog })).rejects.toThrow(/did not start.*AOF/s);
    rmSync(join(dataDir, 'redis/appendonlydir'), { recursive: true });
    await (await startEmbeddedRedis({ dataDir, log: silentLog })).stop();
  });
});

describe('findRedisBinary', () => {
  const fake = (name: string, words: string) => {
    const file = join(dataDir, name);
    writeFileSync(file, `#!/bin/sh\necho "${words}"\n`);
    chmodSync(file, 0o755);
    return file;
  };

  it('takes the first that is new enough', async () => {
    const old = fake('redis-old', 'Redis server v=6.2.6 sha=0');
    const valkey = fake('valkey', 'Valkey server v=8.0.1 sha=0');
    expect(await findRedisBinary(['/none', old, valkey])).toBe(valkey);
  });

  it('says what to install where there is none', async () => {
    const old = fake('redis-old', 'Redis server v=6.2.6 sha=0');
    await expect(findRedisBinary([old])).rejects.toThrow('redis-old is 6.2.6');
    await expect(findRedisBinary(['/none'])).rejects.toThrow('none found');
    await expect(findRedisBinary(['/none'])).rejects.toThrow('apt-get install redis-server');
  });
});
