'use strict';

const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { prepare, root, withSteps } = require('./prepare.cjs');

const ROLES = ['all', 'gateway', 'worker', 'control'];

/** The command line of `usher` for the arguments of `npm start`. */
function usherArguments(given) {
  return ROLES.includes(given[0]) ? ['start', ...given] : ['start', 'all', ...given];
}

/** Prepares, then goes on as Usher in this process: there is no child that a signal could miss. */
async function start(given) {
  await withSteps(async (step) => {
    await prepare({ yes: given.includes('--yes'), step });
    await step('build', process.execPath, [join(root, 'scripts', 'build.mjs')]);
    const main = join(root, 'dist', 'usher', 'main.js');
    process.argv = [process.execPath, main, ...usherArguments(given)];
    await import(pathToFileURL(main).href);
  });
}

module.exports = { start, usherArguments };
