import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually, freePort } from '#usher/testing';
import { isAlive } from '../support/cluster.js';
import { ASKED } from '../support/deadline.js';
import { runUsher, type Program } from '../support/program.js';
import { get, type CheckReply } from '../support/usher-process.js';

const run = promisify(execFile);

/** A shell's words; single quotes are all that is quoted with. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);

/** What curl does with a printed line: a machine without curl runs these tests too. */
function asCurl(line: string): Promise<CheckReply> {
  const words = wordsOf(line);
  const after = (option: string): string[] =>
    words.flatMap((word, at) => (word === option ? [words[at + 1]!] : []));
  const url = new URL(words.find((word) => word.startsWith('http://'))!);
  const headers = Object.fromEntries(after('-H').map((header) => header.split(': ') as [string, string]));
  return get(Number(url.port), url.pathname + url.search, headers, { method: after('-X')[0] });
}

/** The embedded Redis' process, as it is noted in the data folder. */
async function redisPid(folder: string): Promise<number> {
  const { stdout } = await run('sh', ['-c', `cat '${folder}'/data/redis/*.json 2>/dev/null || true`]);
  return Number(/"pid":\s*(\d+)/.exec(stdout)?.[1]);
}

describe('usher start, with nothing configured', () => {
  let folder: string;
  let usher: Program;
  let ports: Record<'gateway' | 'health' | 'control', number>;
  let taken: Server;

  const start = (env: Record<string, string> = {}): Program =>
    runUsher(['start'], {
      cwd: folder,
      env: {
        USHER_GATEWAY_LISTEN: `127.0.0.1:${ports.gateway}`,
        USHER_HEALTH_GATEWAY: `127.0.0.1:${ports.health}`,
        USHER_CONTROL_LISTEN: `127.0.0.1:${ports.control}`,
        ...env,
      },
    });
  /** The commands that it prints, by the line before each. */
  const commands = (): Record<string, string> =>
    Object.fromEntries(
      [...usher.output().matchAll(/^ {2}(.+):\n {4}((?:curl|redis-cli) .+)$/gm)].map(([, what, line]) => [
        what!,
        line!,
      ]),
    );
  const command = (about: RegExp): string => {
    const found = Object.entries(commands()).find(([what]) => about.test(what))?.[1];
    if (found === undefined) throw new Error(`no command about ${String(about)} in ${usher.output()}`);
    return found;
  };
  const curl = (about: RegExp): Promise<CheckReply> => asCurl(command(about));
  const session = async (): Promise<string[]> => {
    const [, ...args] = wordsOf(command(/session in Redis/));
    const cli = '$(command -v redis-cli || command -v valkey-cli) "$@"';
    return (await run('sh', ['-c', cli, 'sh', ...args])).stdout.trimEnd().split('\n');
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'usher-start-'));
    ports = { gateway: await freePort(), health: await freePort(), control: await freePort() };
    taken = createServer();
    await once(taken.listen(0, '127.0.0.1'), 'listening');
    usher = start();
    await eventually(() => usher.hasEnded || usher.output().includes('Usher runs.'), { withinMs: 20_000 });
  });

  afterAll(async () => {
    usher?.signal('SIGKILL');
    await usher?.ended;
    // After a test that failed it may still run: it is a child that outlives a killed Usher.
    const redis = await redisPid(folder);
    if (isAlive(redis)) process.kill(redis, 'SIGKILL');
    taken?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('answers a check through the demo backend, and shows the session in its own Redis', async () => {
    const allowed = await curl(/allowed check/);
    expect(allowed).toMatchObject({ status: 200, source: ASKED });
    expect(allowed.headers['x-session-name']).toMatch(/./);
    const denied = await curl(/denied one/);
    expect(denied).toMatchObject({ status: 403, body: expect.stringContaining('reason: backend-denied') });
    await eventually(async () =>
      expect(await session()).toEqual(expect.arrayContaining(['channel', 'a001', 'ip', '203.0.113.7'])),
    );
  });

  it('lets a stranger in on trust while the demo backend is stopped, and asks again when it is back', async () => {
    await curl(/^Stop the demo backend/);
    expect(await curl(/nobody knows/)).toMatchObject({ status: 200, source: 'fail-open' });
    await curl(/^Start it again/);
    expect(await get(ports.gateway, '/e/astra-1/check?token=again')).toMatchObject({ status: 403 });
  });

  it('serves the health of all its roles on one port', async () => {
    const { status, body } = await get(ports.health, '/health/ready');
    expect(status).toBe(200);
    expect(Object.keys((JSON.parse(body) as { details: object }).details)).toEqual(
      expect.arrayContaining(['gateway', 'worker']),
    );
  });

  it('serves the admin API to the holder of the token, and says where both are', async () => {
    const file = join(folder, 'data', 'admin-token');
    expect(usher.output()).toContain(
      `curl -H "Authorization: Bearer $(cat ${file})" http://127.0.0.1:${ports.control}/api/v1/sessions`,
    );
    expect(usher.output()).toContain(`the admin token is in ${file}`);
    const token = (await readFile(file, 'utf8')).trim();
    expect(usher.output()).not.toContain(token);
    const path = '/api/v1/sessions';
    expect(await get(ports.control, path)).toMatchObject({ status: 401 });
    const found = await get(ports.control, path, { authorization: `Bearer ${token}` });
    expect(found).toMatchObject({ status: 200, body: expect.stringContaining('"address":"203.0.113.7"') });
  });

  it('a second one beside it names the port and the setting, and leaves the first one running', async () => {
    const other = await mkdtemp(join(tmpdir(), 'usher-second-'));
    const second = runUsher(['start'], {
      cwd: other,
      env: { USHER_GATEWAY_LISTEN: `127.0.0.1:${ports.gateway}`, USHER_HEALTH_GATEWAY: '127.0.0.1:0' },
    });
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain(`port ${ports.gateway} is in use: set gateway.listen`);
    expect(isAlive(await redisPid(other))).toBe(false);
    await rm(other, { recursive: true, force: true });
    expect(await get(ports.health, '/health/live')).toMatchObject({ status: 200 });
  });

  it('ends at Ctrl-C with code 0 and leaves no process behind', async () => {
    const redis = await redisPid(folder);
    expect(isAlive(redis)).toBe(true);
    usher.signal('SIGINT');
    expect(await usher.ended).toBe(0);
    expect(isAlive(redis)).toBe(false);
    await expect(get(ports.gateway, '/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('ends the Redis that a killed Usher left behind, and finds the sessions again', async () => {
    usher = start();
    await eventually(() => usher.output().includes('Usher runs.'), { withinMs: 20_000 });
    const left = await redisPid(folder);
    usher.signal('SIGKILL');
    await usher.ended;
    usher = start();
    await eventually(() => usher.output().includes('Usher runs.'), { withinMs: 20_000 });
    expect(isAlive(left)).toBe(false);
    expect(await session()).toContain('203.0.113.7');
    usher.signal('SIGINT');
    expect(await usher.ended).toBe(0);
  });
});
