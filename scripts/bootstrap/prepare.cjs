'use strict';

const { resolve } = require('node:path');
const { areDependenciesCurrent } = require('./dependencies.cjs');
const { ensureRedis, pathWithPrograms } = require('./redis-server.cjs');
const { run, StepError } = require('./run.cjs');

const root = resolve(__dirname, '..', '..');

/** Runs `work` with steps that say what they are; the first that fails ends it with one sentence. */
async function withSteps(work) {
  const step = (name, command, args) => {
    console.log(`usher: ${name} …`);
    return run(name, command, args, { cwd: root });
  };
  try {
    await work(step);
  } catch (error) {
    console.error(error instanceof StepError ? `usher: ${error.message}` : error);
    process.exitCode = error instanceof StepError ? error.code : 1;
  }
}

/** Dependencies and a Redis to run. Says nothing where all is there. */
async function prepare({ yes, step }) {
  process.env.PATH = pathWithPrograms(root, process.env.PATH);
  if (!areDependenciesCurrent(root)) {
    await step('dependencies (npm ci)', process.platform === 'win32' ? 'npm.cmd' : 'npm', [
      'ci',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]);
  }
  await ensureRedis({ root, yes, step });
}

module.exports = { prepare, root, withSteps };
