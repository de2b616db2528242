'use strict';

const { join } = require('node:path');
const { prepare, root, withSteps } = require('./prepare.cjs');

const JEST = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
];
/** After what was given: jest would take names of files for further reporters. */
const REPORTERS = [
  '--reporters=default',
  `--reporters=${join(root, 'scripts', 'bootstrap', 'closing-line.cjs')}`,
];

/** Prepares, then types, build and tests; stops at the first that fails. Arguments go to jest. */
async function test(given) {
  const yes = given.includes('--yes');
  const forJest = given.filter((argument) => argument !== '--yes');
  await withSteps(async (step) => {
    await prepare({ yes, step });
    await step('types', process.execPath, [
      join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
      '--noEmit',
    ]);
    await step('build', process.execPath, [join(root, 'scripts', 'build.mjs')]);
    await step('tests', process.execPath, [...JEST, ...forJest, ...REPORTERS]);
  });
}

module.exports = { JEST, test };
