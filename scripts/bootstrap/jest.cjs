'use strict';

/** Jest, which runs the tests as they are built: a file may be named as it is written. */
process.argv = process.argv.map((word) => word.replace(/\.ts$/, '.js'));
require('../../node_modules/jest/bin/jest.js');
