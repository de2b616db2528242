import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

const scripts = resolve('scripts');
const load = createRequire(join(scripts, 'start.cjs'));

interface Packages {
  [path: string]: { version?: string; integrity?: string; optional?: boolean };
}
const { complaint } = load('./bootstrap/node-version.cjs') as {
  complaint: (version: string) => string | undefined;
};
const { areDependenciesCurrent, hasAll } = load('./bootstrap/dependencies.cjs') as {
  areDependenciesCurrent: (root: string) => boolean;
  hasAll: (wanted: Packages, installed: Packages) => boolean;
};
const redis = load('./bootstrap/redis-server.cjs') as {
  findServer: (path: string | undefined) => string | undefined;
  installPlan: (facts: Record<string, boolean>) => string | { sudo: boolean; ask: boolean };
  isNewEnough: (name: string, version: number[] | undefined) => boolean;
  parseVersion: (text: string) => number[] | undefined;
  pathWithPrograms: (root: string, path?: string) => string;
};
const { usherArguments } = load('./bootstrap/start.cjs') as { usherArguments: (given: string[]) => string[] };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'usher-bootstrap-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the Node that runs npm start', () => {
  it.each([
    ['8.17.0', false],
    ['18.20.0', false],
    ['20.18.3', false],
    ['20.19.0', true],
    ['22.0.0', true],
    ['24.1.0', true],
  ])('%s will do: %s', (version, isEnough) => {
    expect(complaint(version) === undefined).toBe(isEnough);
  });

  it('can be old enough to know no newer syntax: it gets its sentence all the same', () => {
    for (const file of ['start.cjs', 'test.cjs', 'bootstrap/node-version.cjs']) {
      const code = readFileSync(join(scripts, file), 'utf8').replace(/\/\*[^]*?\*\//g, '');
      expect(code).not.toMatch(/=>|`|\?\.|\?\?|\b(const|let|async|await|class|import)\b|\.\.\./);
    }
    expect(complaint('8.17.0')).toBe('Usher needs Node.js 20.19 or later; this is 8.17.0.');
  });
});

describe('the dependencies', () => {
  const a = { version: '1.0.0', integrity: 'sha-a' };

  it.each<[string, Packages, Packages, boolean]>([
    ['all there', { '': {}, a }, { a }, true],
    ['one missing', { a, b: a }, { a }, false],
    ['one of another version', { a }, { a: { ...a, version: '0.9.0' } }, false],
    ['one with other contents', { a }, { a: { ...a, integrity: 'sha-b' } }, false],
    ['one too many', { a }, { a, b: a }, false],
    ['one for another platform missing', { a, b: { ...a, optional: true } }, { a }, true],
  ])('%s', (_, wanted, installed, isCurrent) => {
    expect(hasAll(wanted, installed)).toBe(isCurrent);
  });

  it('are not current where nothing was installed', () => {
    writeFileSync(join(folder, 'package-lock.json'), '{"packages": {}}');
    expect(areDependenciesCurrent(folder)).toBe(false);
  });

  it('are current here, by what npm itself recorded', () => {
    expect(areDependenciesCurrent(join(scripts, '..'))).toBe(true);
  });
});

describe('the Redis program', () => {
  it.each([
    ['redis-server', 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64', true],
    ['redis-server', 'Redis server v=6.0.16 sha=0', false],
    ['redis-server', 'Redis server v=8.0.2 sha=0', true],
    ['valkey-server', 'Valkey server v=8.1.1 sha=0', true],
    ['valkey-server', 'Server v=7.2.5 sha=0', true],
    ['valkey-server', 'Valkey server v=7.1.9 sha=0', false],
    ['redis-server', 'redis-check-rdb 7.0.15', false],
    ['redis-server', '', false],
  ])('%s that says “%s” will do: %s', (name, words, isEnough) => {
    expect(redis.isNewEnough(name, redis.parseVersion(words))).toBe(isEnough);
  });

  it('is the first on the PATH that is new enough', () => {
    const program = (name: string, words: string): void => {
      writeFileSync(join(folder, name), `#!/bin/sh\necho '${words}'\n`);
      chmodSync(join(folder, name), 0o755);
    };
    const path = [join(folder, 'none'), '', folder].join(delimiter);
    expect(redis.findServer(path)).toBeUndefined();
    program('redis-server', 'Redis server v=6.0.16 sha=0');
    expect(redis.findServer(path)).toBeUndefined();
    program('valkey-server', 'Valkey server v=8.0.0 sha=0');
    expect(redis.findServer(path)).toBe(join(folder, 'valkey-server'));
  });

  it('that we linked comes after those of the machine', () => {
    expect(redis.pathWithPrograms('/usher', '/usr/bin')).toBe(
      ['/usr/bin', '/usher/node_modules/.bin'].join(delimiter),
    );
    const once = redis.pathWithPrograms('/usher', '/usr/bin');
    expect(redis.pathWithPrograms('/usher', once)).toBe(once);
  });

  it.each([
    [{ hasApt: false, isRoot: true }, 'refuse'],
    [{ hasApt: true, isRoot: false, hasSudo: false }, 'refuse'],
    [
      { hasApt: true, isRoot: true, hasTerminal: false },
      { sudo: false, ask: false },
    ],
    [
      { hasApt: true, isRoot: true, hasTerminal: true },
      { sudo: false, ask: true },
    ],
    [
      { hasApt: true, isRoot: true, hasTerminal: true, isAgreed: true },
      { sudo: false, ask: false },
    ],
    [
      { hasApt: true, hasSudo: true, hasTerminal: true },
      { sudo: true, ask: true },
    ],
    [
      { hasApt: true, hasSudo: true, isAgreed: true },
      { sudo: true, ask: false },
    ],
    [{ hasApt: true, hasSudo: true, hasTerminal: false }, 'needs-agreement'],
  ])('is installed, or asked about, or refused: %j', (facts, plan) => {
    const none = { hasApt: false, isRoot: false, hasSudo: false, hasTerminal: false, isAgreed: false };
    const { sudo, ask } = { sudo: false, ask: false, ...(typeof plan === 'object' ? plan : {}) };
    expect(redis.installPlan({ ...none, ...facts })).toEqual(typeof plan === 'string' ? plan : { sudo, ask });
  });
});

describe('npm start', () => {
  it('runs all, unless it is told which role', () => {
    expect(usherArguments([])).toEqual(['start', 'all']);
    expect(usherArguments(['--config', 'a.yaml'])).toEqual(['start', 'all', '--config', 'a.yaml']);
    expect(usherArguments(['gateway', '--yes'])).toEqual(['start', 'gateway', '--yes']);
  });
});

describe('a step', () => {
  const step = (program: string) =>
    spawn(
      process.execPath,
      [
        '-e',
        `const { withSteps } = require(${JSON.stringify(join(scripts, 'bootstrap/prepare.cjs'))});
         void withSteps((step) => step('a step', process.execPath, ['-e', ${JSON.stringify(program)}]));`,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );

  async function outcome(child: ReturnType<typeof step>): Promise<{ code: number | null; words: string }> {
    let words = '';
    for (const stream of [child.stdout, child.stderr])
      stream!.on('data', (data: Buffer) => (words += data.toString()));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, words };
  }

  it('that fails ends all with one sentence and its exit code', async () => {
    expect(await outcome(step('process.exit(3)'))).toEqual({
      code: 3,
      words: 'usher: a step …\nusher: a step failed (exit code 3); see above.\n',
    });
  });

  it('hears the signals that we hear, and is waited for', async () => {
    const child = step(`
      process.on('SIGTERM', () => setTimeout(() => { console.log('cleaned up'); process.exit(0); }, 50));
      setInterval(() => {}, 1000);
      console.log('ready');`);
    const end = outcome(child);
    await new Promise<void>((resolve) => {
      child.stdout!.on('data', (data: Buffer) => data.toString().includes('ready') && resolve());
    });
    child.kill('SIGTERM');
    const { code, words } = await end;
    expect(words).toContain('cleaned up');
    expect(words).toContain('usher: a step: stopped by SIGTERM.');
    expect(code).toBe(143);
  });
});
