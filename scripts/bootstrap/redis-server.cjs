'use strict';

const { execFileSync } = require('node:child_process');
const { accessSync, constants, mkdirSync, rmSync, symlinkSync } = require('node:fs');
const { delimiter, join } = require('node:path');
const { StepError } = require('./run.cjs');

/** The programs that will do, and since which version. */
const SERVERS = { 'redis-server': [7, 0], 'valkey-server': [7, 2] };

const NEEDED = 'Usher needs redis-server 7.0 or later, or valkey-server 7.2 or later, on the PATH';

/**
 * Debian and Ubuntu ship the server under the name of its checking tool too, in the package of tools, which has no
 * service; the program looks at its own name to know what to be.
 */
const TWINS = { 'redis-server': '/usr/bin/redis-check-rdb', 'valkey-server': '/usr/bin/valkey-check-rdb' };

/** Where npm puts programs, and we a link to the server: on the PATH of everything that npm runs. */
const programsOf = (root) => join(root, 'node_modules', '.bin');

/** The PATH with our programs last: what the machine has comes first. */
function pathWithPrograms(root, path = '') {
  const own = programsOf(root);
  return path.split(delimiter).includes(own) ? path : [path, own].filter(Boolean).join(delimiter);
}

/** Makes sure that there is a server to run: the PATH first, else the distribution's package. Starts no service. */
async function ensureRedis({ root, yes, step }) {
  if (findServer(process.env.PATH) || linkTwin(root)) return;
  const plan = installPlan({
    hasApt: hasProgram('apt-get'),
    isRoot: process.getuid?.() === 0,
    hasSudo: hasProgram('sudo'),
    hasTerminal: Boolean(process.stdin.isTTY && process.stdout.isTTY),
    isAgreed: yes || process.env.CI === 'true',
  });
  if (plan === 'refuse')
    throw new StepError(`${NEEDED}; there is none, and no way to install it: install it yourself.`);
  if (plan === 'needs-agreement') {
    throw new StepError(
      `${NEEDED}; there is none. Install it, or let me: npm start -- --yes (CI=true does the same).`,
    );
  }
  if (
    plan.ask &&
    !(await isConfirmed('No redis-server here. Install the package redis-tools (no service)? [Y/n] '))
  ) {
    throw new StepError(`${NEEDED}.`);
  }
  const install = ['sh', join(__dirname, 'install-redis.sh')];
  const [command, ...args] = plan.sudo ? ['sudo', ...install] : install;
  await step(`Redis (apt-get${plan.sudo ? ', through sudo' : ''})`, command, args);
  if (!findServer(process.env.PATH) && !linkTwin(root)) {
    throw new StepError(`${NEEDED}; this distribution has none: install it yourself.`);
  }
}

/** Whether to install, to ask first, or to say that it has to be done by hand. */
function installPlan({ hasApt, isRoot, hasSudo, hasTerminal, isAgreed }) {
  if (!hasApt || (!isRoot && !hasSudo)) return 'refuse';
  if (isRoot) return { sudo: false, ask: hasTerminal && !isAgreed };
  if (!isAgreed && !hasTerminal) return 'needs-agreement';
  return { sudo: true, ask: !isAgreed };
}

/** The first server on the PATH that is new enough. */
function findServer(path) {
  for (const folder of (path ?? '').split(delimiter).filter(Boolean)) {
    for (const name of Object.keys(SERVERS)) {
      const program = join(folder, name);
      if (isExecutable(program) && isNewEnough(name, versionOf(program))) return program;
    }
  }
  return undefined;
}

/** Links the server's twin under the server's name; undefined if there is none that serves. */
function linkTwin(root) {
  for (const [name, twin] of Object.entries(TWINS)) {
    if (!isExecutable(twin)) continue;
    const link = join(programsOf(root), name);
    mkdirSync(programsOf(root), { recursive: true });
    rmSync(link, { force: true });
    symlinkSync(twin, link);
    if (isNewEnough(name, versionOf(link))) return link;
    rmSync(link, { force: true });
  }
  return undefined;
}

/** `Redis server v=7.0.15 sha=…` → [7, 0, 15]; undefined for anything else. */
function parseVersion(text) {
  const match = /server v=(\d+)\.(\d+)\.(\d+)/i.exec(text);
  return match ? match.slice(1).map(Number) : undefined;
}

function isNewEnough(name, version) {
  if (version === undefined) return false;
  const [major, minor] = SERVERS[name];
  return version[0] > major || (version[0] === major && version[1] >= minor);
}

function versionOf(program) {
  try {
    const output = execFileSync(program, ['--version'], { encoding: 'utf8', timeout: 5_000, stdio: 'pipe' });
    return parseVersion(output);
  } catch {
    return undefined;
  }
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const hasProgram = (name) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .some((folder) => folder !== '' && isExecutable(join(folder, name)));

async function isConfirmed(question) {
  const { createInterface } = require('node:readline/promises');
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^(y(es)?)?$/i.test((await prompt.question(question)).trim());
  } finally {
    prompt.close();
  }
}

module.exports = { ensureRedis, findServer, installPlan, isNewEnough, parseVersion, pathWithPrograms };
