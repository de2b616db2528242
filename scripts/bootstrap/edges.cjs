'use strict';

const { execFileSync } = require('node:child_process');
const { join } = require('node:path');
const { JEST } = require('./test.cjs');
const { prepare, root, withSteps } = require('./prepare.cjs');
const { installPlan } = require('./redis-server.cjs');
const { StepError } = require('./run.cjs');

/** `--yes`: install without asking. `--if-possible`: without an nginx say so, and be content. */
const OURS = ['--yes', '--if-possible'];

const NEEDED = 'these tests need nginx with auth_request on the PATH (or in /usr/sbin)';

/** Installs nginx where that may be done, and no service runs of it. */
const INSTALL = `
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ -e "$policy" ]; then mv "$policy" "$policy.before-usher"; fi
trap 'rm -f "$policy"; [ ! -e "$policy.before-usher" ] || mv "$policy.before-usher" "$policy"' EXIT
printf '#!/bin/sh\\nexit 101\\n' >"$policy"
chmod 755 "$policy"
apt-get install -y -qq --no-install-recommends nginx || { apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx; }
`;

/** Tests with real streaming servers and proxies in front; `npm test` does without them. Arguments go to jest. */
async function edges(given) {
  const yes = given.includes('--yes');
  await withSteps(async (step) => {
    process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
    await prepare({ yes, step });
    if (!(await isReady({ yes, step, mayDoWithout: given.includes('--if-possible') }))) return;
    await step('build', process.execPath, [join(root, 'scripts', 'build.mjs')]);
    const which = [
      '--testMatch',
      '**/test/edges/**/*.edge.ts',
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
  const plan = installPlan({
    hasApt: hasProgram('apt-get'),
    isRoot: process.getuid?.() === 0,
    hasSudo: hasProgram('sudo'),
    hasTerminal: false,
    isAgreed: yes || process.env.CI === 'true',
  });
  if (plan === 'refuse') throw new StepError(`${NEEDED}; there is none, and no way to install it.`);
  if (plan === 'needs-agreement') {
    throw new StepError(`${NEEDED}; there is none. Install it, or let me: npm run test:edges -- --yes.`);
  }
  const [command, ...args] = plan.sudo ? ['sudo', 'sh', '-c', INSTALL] : ['sh', '-c', INSTALL];
  await step(`nginx (apt-get${plan.sudo ? ', through sudo' : ''}; no service)`, command, args);
  if (!hasNginx()) throw new StepError(`${NEEDED}; this distribution's has none.`);
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
