'use strict';

/** The last line of a run: what people and machines look for. */
class ClosingLine {
  onRunComplete(_contexts, { numPassedTests, numFailedTests, numFailedTestSuites, numPendingTests }) {
    // A file that could not be run has no tests, and is a failure all the same.
    const failed = Math.max(numFailedTests, numFailedTestSuites);
    const line = `tests: ${numPassedTests} passed, ${failed} failed, ${numPendingTests} skipped\n`;
    // Jest's own summary comes after all reporters.
    process.once('exit', () => process.stdout.write(line));
  }
}

module.exports = ClosingLine;
