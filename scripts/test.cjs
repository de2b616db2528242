/** `npm test`: everything that a new clone needs, then types, build and tests. Written so that an old Node can parse it. */
'use strict';

var nodeVersion = require('./bootstrap/node-version.cjs');

var sentence = nodeVersion.complaint(process.versions.node);
if (sentence === undefined) {
  void require('./bootstrap/test.cjs').test(process.argv.slice(2));
} else {
  console.error(sentence);
  process.exitCode = 1;
}
