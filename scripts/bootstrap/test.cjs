'use strict';

const { mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, relative } = require('node:path');
const { prepare, root, withSteps } = require('./prepare.cjs');

const JEST = [join(root, 'scripts', 'bootstrap', 'jest.cjs')];
/** Tests run as they are built. */
const BUILD = [join(root, 'scripts', 'build.mjs'), '--specs', 'bench', 'test'];
/** After what was given: jest would take names of files for further reporters. */
const REPORTERS = [
  '--reporters=default',
  `--reporters=${join(root, 'scripts', 'bootstrap', 'closing-line.cjs')}`,
];

/** Whole clusters whose parts are killed, hang and come back: minutes of waiting for that, so they run by `--faults`. */
const FAULTS = ['test/crash/', 'test/faults/'];

/** More files than this have not failed for want of a core. */
const FEW = 5;

/**
 * Whole clusters starve one another now and then where two of them share two cores: what failed beside others is run once
 * more, alone, and it is said which that was. What fails alone has failed.
 */
async function runTests(step, forJest) {
  const folder = mkdtempSync(join(tmpdir(), 'usher-tests-'));
  const list = join(folder, 'failed.json');
  process.env.FAILED_TESTS_LIST = list;
  const jest = (name, ...more) => step(name, process.execPath, [...JEST, ...forJest, ...more, ...REPORTERS]);
  try {
    await jest('tests').catch((error) => {
      const failed = failedFiles(list);
      if (failed.length === 0 || failed.length > FEW) throw error;
      for (const file of failed) console.log(`usher: failed beside others: ${relative(root, file)}`);
      return jest('those that failed, alone', '--runInBand', '--runTestsByPath', ...failed);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** As the reporter wrote them; none where it was ended before that. */
function failedFiles(list) {
  try {
    return JSON.parse(readFileSync(list, 'utf8'));
  } catch {
    return [];
  }
}

/** Prepares, then types, build and tests; stops at the first that fails. Arguments go to jest. */
async function test(given) {
  const yes = given.includes('--yes');
  const forJest = filesOf(given);
  await withSteps(async (step) => {
    await prepare({ yes, step });
    await step('types', process.execPath, [
      join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
      '--noEmit',
    ]);
    await step('build', process.execPath, BUILD);
    await runTests(step, forJest);
  });
}

/** Whoever names files gets those. */
function filesOf(given) {
  const forJest = given.filter((argument) => !['--yes', '--faults'].includes(argument));
  if (given.includes('--faults')) return [...forJest, ...FAULTS];
  const isAll = forJest.every((argument) => argument.startsWith('-'));
  return isAll ? [...forJest, `--testPathIgnorePatterns=/node_modules/|${FAULTS.join('|')}`] : forJest;
}

module.exports = { BUILD, JEST, test };
