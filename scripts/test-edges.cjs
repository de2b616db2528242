/** `npm run test:edges`: tests with real edges in front. Written so that an old Node can parse it. */
'use strict';

var nodeVersion = require('./bootstrap/node-version.cjs');

var sentence = nodeVersion.complaint(process.versions.node);
if (sentence === undefined) {
  void require('./bootstrap/edges.cjs').edges(process.argv.slice(2));
} else {
  console.error(sentence);
  process.exitCode = 1;
}
