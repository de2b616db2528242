'use strict';

/** Jest, which runs the tests as they are built: a file may be named as it is written. */
// The runner's threads would write colours into a file, too.
if (!process.stdout.isTTY) process.env.FORCE_COLOR ??= '0';
process.argv = process.argv.map((word) => word.replace(/\.ts$/, '.js'));
require('../../node_modules/jest/bin/jest.js');
