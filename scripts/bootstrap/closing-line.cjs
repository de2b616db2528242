'use strict';

const { writeFileSync } = require('node:fs');

/** The last line of a run: what people and machines look for; and which files failed, for whoever wants to run them again. */
class ClosingLine {
  onRunComplete(_contexts, results) {
    const { numPassedTests, numFailedTests, numFailedTestSuites, numPendingTests, testResults } = results;
    const list = process.env.FAILED_TESTS_LIST;
    const failures = testResults.filter((file) => file.numFailingTests > 0 || file.testExecError);
    if (list) writeFileSync(list, JSON.stringify(failures.map(({ testFilePath }) => testFilePath)));
    // A file that could not be run has no tests, and is a failure all the same.
    const failed = Math.max(numFailedTests, numFailedTestSuites);
    const line = `tests: ${numPassedTests} passed, ${failed} failed, ${numPendingTests} skipped\n`;
    // Jest's own summary comes after all reporters.
    process.once('exit', () => process.stdout.write(line));
  }
}

module.exports = ClosingLine;
