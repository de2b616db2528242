/** Written so that an old Node can parse it. */
'use strict';

var NEEDED = [20, 19];

/** The sentence for a Node that is too old; undefined for one that will do. */
exports.complaint = function complaint(version) {
  var parts = version.split('.').map(Number);
  var isEnough = parts[0] > NEEDED[0] || (parts[0] === NEEDED[0] && parts[1] >= NEEDED[1]);
  if (isEnough) return undefined;
  return 'Usher needs Node.js ' + NEEDED.join('.') + ' or later; this is ' + version + '.';
};
