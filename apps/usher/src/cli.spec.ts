import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './cli.js';
import type { RoleName, Runtime, StartRole } from './role.js';
import type { RoleTable } from './start.js';

let cwd: string;
let said: string[];
let complaints: string[];
let runtimes: Runtime[];
let life: string[];
let end: () => void;
let asked: Promise<void>;
let taken: Server;
let input: string;

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'usher-cli-'));
  [said, complaints, runtimes, life] = [[], [], [], []];
  input = '';
  asked = new Promise((resolve) => {
    end = resolve;
  });
  taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
});
afterEach(async () => {
  taken.close();
  await rm(cwd, { recursive: true });
});

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** A role with a port of its own: what compositions are, without the work. */
const role =
  (name: RoleName): StartRole =>
  async (runtime) => {
    runtimes.push(runtime);
    life.push(`${name} starts`);
    const server = createServer((_request, response) => response.end(name));
    const port = Number(runtime.config.gateway.listen.split(':')[1]);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(name === 'gateway' ? port : 0, '127.0.0.1', resolve);
    });
    return {
      health: { name, ready: () => true, degraded: () => [] },
      close: async () => {
        life.push(`${name} ends`);
        await new Promise((resolve) => server.close(resolve));
      },
    };
  };

const ROLES: RoleTable = { gateway: role('gateway'), worker: role('worker'), control: role('control') };

/** Ports of this test alone. */
const PORTS = { USHER_GATEWAY_LISTEN: '127.0.0.1:0', USHER_LOG_LEVEL: 'silent', USHER_DATA: 'data' };
const FREE = Object.fromEntries(
  ['GATEWAY', 'WORKER', 'CONTROL'].map((name) => [`USHER_HEALTH_${name}`, '127.0.0.1:0']),
);

function run(argv: readonly string[], env: Record<string, string> = {}): Promise<number> {
  return runCommand(
    {
      argv,
      env: { ...PORTS, ...FREE, ...env },
      cwd,
      out: (text) => {
        said.push(text);
        if (text.includes('Usher runs.')) end();
      },
      err: (text) => complaints.push(text),
      untilAskedToEnd: () => asked,
      readInput: () => input,
    },
    ROLES,
  );
}

describe('usher start', () => {
  it('with no configuration runs all on a Redis of its own, with the demo backend, and says what to try', async () => {
    expect(await run(['start', 'all', '--yes'])).toBe(0);
    expect(complaints).toEqual([]);
    const notes = said.join('');
    for (const part of [
      '/e/astra-1/check?token=123',
      '/stop',
      'redis-cli -u redis://127.0.0.1:',
      'Settings → HTTP Auth',
    ]) {
      expect(notes).toContain(part);
    }
    const { config, redis } = runtimes[0]!;
    expect(config.backends.demo).toMatchObject({ type: 'http', credential: 'reusable' });
    expect(config.secret).toEqual([expect.stringMatching(/^.{43}$/)]);
    expect(redis.away).toBe(true);
  });

  it('starts workers first, shares one runtime, and ends them in the opposite order', async () => {
    await run(['start']);
    expect(life).toEqual([
      'worker starts',
      'gateway starts',
      'control starts',
      'control ends',
      'gateway ends',
      'worker ends',
    ]);
    expect(new Set(runtimes).size).toBe(1);
  });

  it('runs one role, with what is configured', async () => {
    end();
    await writeFile(join(cwd, 'usher.yaml'), 'backends: { a: { type: http, url: http://127.0.0.1:9/ } }');
    expect(await run(['start', 'worker'])).toBe(0);
    expect(life).toEqual(['worker starts', 'worker ends']);
    expect(said).toEqual([]);
  });

  it('refuses to run the demo as a part of a cluster', async () => {
    expect(await run(['start', 'gateway'])).toBe(1);
    expect(complaints.join('')).toContain('nothing is configured: a gateway needs backends');
  });

  it('names port and setting where a port is in use, and leaves nothing running', async () => {
    const port = portOf(taken);
    expect(await run(['start'], { USHER_GATEWAY_LISTEN: `127.0.0.1:${port}` })).toBe(1);
    expect(complaints).toEqual([`usher: port ${port} is in use: set gateway.listen\n`]);
    expect(life).toContain('worker ends');
    expect(runtimes[0]!.redis.away).toBe(true);
  });

  it('names port and setting of health too', async () => {
    const port = portOf(taken);
    expect(await run(['start'], { USHER_HEALTH_GATEWAY: `127.0.0.1:${port}` })).toBe(1);
    expect(complaints).toEqual([`usher: port ${port} is in use: set health.gateway\n`]);
  });

  it('shows every problem of the configuration with its place', async () => {
    await writeFile(join(cwd, 'other.yaml'), 'mode: x\ngateway: { lisen: 1 }');
    expect(await run(['start', '--config', 'other.yaml'])).toBe(1);
    expect(complaints.join('')).toMatch(
      /other\.yaml:1: mode: .*\n {2}other\.yaml:2: gateway\.lisen: unknown key/,
    );
  });
});

describe('the other commands', () => {
  it('config check counts what is there, and tells what is probably not meant', async () => {
    await writeFile(
      join(cwd, 'usher.yaml'),
      'backends: { a: { type: http, url: https://a/, insecure: true } }',
    );
    expect(await run(['config', 'check'])).toBe(0);
    expect(said.join('')).toMatch(
      /certificate is not checked[^]*the configuration is good: 0 edges, 1 backends/,
    );
  });

  it('config check fails where it is wrong', async () => {
    await writeFile(join(cwd, 'usher.yaml'), 'mode: x');
    expect(await run(['config', 'check'])).toBe(1);
  });

  it('config check reads what rules read', async () => {
    await writeFile(join(cwd, 'list'), 'deny 10.0.0.0/8\ndeny 10.0.0\n');
    await writeFile(join(cwd, 'usher.yaml'), 'routes: [{ access: public, rules: { ip: { file: list } } }]');
    expect(await run(['config', 'check'])).toBe(1);
    expect(complaints.join('')).toMatch(/routes\[0\]\.rules\.ip\.file: .*list:2: expected an IP address/);
  });

  it('hash prints lines that rules.users takes', async () => {
    input = 'right\n';
    expect(await run(['hash', 'ann', '--max', '2'])).toBe(0);
    expect(said.join('')).toMatch(/^ann:\$scrypt\$ln=14,r=8,p=1\$\S+ max=2\n$/);
    input = 'a static token of some length';
    expect(await run(['hash', '--token', 'box-17'])).toBe(0);
    const accounts = said.map((line) => JSON.stringify(line.trim())).join(', ');
    await writeFile(join(cwd, 'usher.yaml'), `routes: [{ rules: { users: { accounts: [${accounts}] } } }]`);
    expect(await run(['config', 'check'])).toBe(0);
    expect(said.join('')).not.toContain('right');
  });

  it('hash refuses what nobody could use', async () => {
    input = 'short';
    expect(await run(['hash', '--token', 'box-17'])).toBe(1);
    expect(await run(['hash', 'ann', '--max', '0'])).toBe(1);
    expect(complaints.join('')).toMatch(/a token has at least 20[^]*1 to 250/);
  });

  it('config show hides secrets', async () => {
    expect(await run(['config', 'show'], { USHER_SECRET: 'hunter2hunter2hunter2' })).toBe(0);
    expect(said.join('')).toContain('secret:\n  - "***"');
    expect(said.join('')).not.toContain('hunter2');
  });

  it('version, --version and --help are no failures; a word that is no command is', async () => {
    for (const argument of ['version', '--version', '--help']) expect(await run([argument])).toBe(0);
    expect(said[0]).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await run(['start', 'gatway'])).toBe(1);
    expect(complaints.join('')).toContain('Allowed choices are all, gateway, worker, control');
  });
});
