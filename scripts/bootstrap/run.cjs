'use strict';

const { spawn } = require('node:child_process');

/** A step that failed: its sentence is all that is said. `code` is the exit code of the whole. */
class StepError extends Error {
  constructor(sentence, code = 1) {
    super(sentence);
    this.code = code;
  }
}

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 };

/**
 * Runs a program in the foreground, on this terminal. A signal to us goes on to it, and we wait for its end: nothing
 * is left behind. Rejects with StepError if it fails.
 */
function run(name, command, args, { cwd, env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: 'inherit' });
    let signalled;
    const forward = (signal) => {
      signalled = signal;
      child.kill(signal);
    };
    const settle = (error) => {
      for (const signal of Object.keys(SIGNALS)) process.off(signal, forward);
      if (error) reject(error);
      else resolve();
    };
    for (const signal of Object.keys(SIGNALS)) process.on(signal, forward);
    child.on('error', (error) => settle(new StepError(`${name} could not be run: ${error.message}`)));
    child.on('exit', (code, signal) => {
      const ended = signalled ?? signal;
      if (ended) settle(new StepError(`${name}: stopped by ${ended}.`, 128 + (SIGNALS[ended] ?? 9)));
      else
        settle(
          code === 0 ? undefined : new StepError(`${name} failed (exit code ${code}); see above.`, code),
        );
    });
  });
}

module.exports = { run, StepError };
