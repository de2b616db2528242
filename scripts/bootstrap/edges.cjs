'use strict';

const { execFileSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { BUILD, JEST } = require('./test.cjs');
const { prepare, withSteps } = require('./prepare.cjs');
const { installPlan } = require('./redis-server.cjs');
const { StepError } = require('./run.cjs');

/** `--yes`: install without asking. `--if-possible`: without an nginx say so, and be content. */
const OURS = ['--yes', '--if-possible'];

const NEEDED = 'these tests need nginx with auth_request on the PATH (or in /usr/sbin)';

/** Installs packages where that may be done, and no service runs of them. */
const INSTALL = `
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ -e "$policy" ]; then mv "$policy" "$policy.before-usher"; fi
trap 'rm -f "$policy"; [ ! -e "$policy.before-usher" ] || mv "$policy.before-usher" "$policy"' EXIT
printf '#!/bin/sh\\nexit 101\\n' >"$policy"
chmod 755 "$policy"
apt-get install -y -qq --no-install-recommends "$@" || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; }
`;

const RTMP_MODULES = ['/usr/lib', '/usr/lib64'].map((folder) =>
  join(folder, 'nginx/modules/ngx_rtmp_module.so'),
);

/** What some of the tests need besides. Without it they say that they were not run. */
const BESIDES = [
  {
    name: 'libnginx-mod-rtmp',
    what: 'to ask as nginx-rtmp',
    isThere: () => RTMP_MODULES.some((file) => existsSync(file)),
  },
  {
    name: 'ffmpeg',
    what: 'to send and play live pictures',
    isThere: () => hasProgram('ffmpeg') && hasProgram('ffprobe'),
  },
  { name: 'haproxy', what: 'to ask as HAProxy', isThere: () => hasProgram('haproxy') },
];

/** Tests with real streaming servers and proxies in front; `npm test` does without them. Arguments go to jest. */
async function edges(given) {
  const yes = given.includes('--yes');
  await withSteps(async (step) => {
    process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
    await prepare({ yes, step });
    if (!(await isReady({ yes, step, mayDoWithout: given.includes('--if-possible') }))) return;
    for (const besides of BESIDES) await installBesides(besides, { yes, step });
    await step('build', process.execPath, BUILD);
    const which = [
      '--testMatch',
      '**/test/edges/**/*.edge.js',
      '--runInBand',
      ...given.filter((word) => !OURS.includes(word)),
    ];
    await step('tests with real edges', process.execPath, [...JEST, ...which]);
  });
}

async function isReady({ yes, step, mayDoWithout }) {
  if (hasNginx()) return true;
  try {
    await install({ yes, step });
    return true;
  } catch (error) {
    if (!mayDoWithout || !(error instanceof StepError)) throw error;
    console.log(`usher: ${error.message} Left out.`);
    return false;
  }
}

async function install({ yes, step }) {
  const plan = planOf(yes);
  if (plan === 'refuse') throw new StepError(`${NEEDED}; there is none, and no way to install it.`);
  if (plan === 'needs-agreement') {
    throw new StepError(`${NEEDED}; there is none. Install it, or let me: npm run test:edges -- --yes.`);
  }
  await aptInstall('nginx', 'to ask as nginx with auth_request', plan, step);
  if (!hasNginx()) throw new StepError(`${NEEDED}; this distribution's has none.`);
}

/** No reason to leave the others out: what cannot be had is said, and those tests say that they were not run. */
async function installBesides({ name, what, isThere }, { yes, step }) {
  if (isThere()) return;
  const leftOut = (why) =>
    console.log(`usher: no ${name} here (${what}), ${why}: tests with it are not run.`);
  const plan = planOf(yes);
  if (plan === 'refuse') return leftOut('and no way to install it');
  if (plan === 'needs-agreement') return leftOut('and it is installed only if you say --yes');
  try {
    await aptInstall(name, what, plan, step);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    leftOut('and it could not be installed');
  }
}

function planOf(yes) {
  return installPlan({
    hasApt: hasProgram('apt-get'),
    isRoot: process.getuid?.() === 0,
    hasSudo: hasProgram('sudo'),
    hasTerminal: false,
    isAgreed: yes || process.env.CI === 'true',
  });
}

/** A package of the distribution's, without a service; the step says what it is for. */
async function aptInstall(name, what, plan, step) {
  const [command, ...args] = plan.sudo ? ['sudo', 'sh', '-c', INSTALL] : ['sh', '-c', INSTALL];
  const how = `apt-get${plan.sudo ? ', through sudo' : ''}; no service`;
  await step(`installing ${name}, ${what} (${how})`, command, [...args, 'sh', name]);
}

/** `nginx -V` writes what it was built with on standard error. */
function hasNginx() {
  try {
    execFileSync('sh', ['-c', 'nginx -V 2>&1 | grep -q http_auth_request_module'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function hasProgram(name) {
  try {
    execFileSync('sh', ['-c', 'command -v "$0"', name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

module.exports = { edges };
