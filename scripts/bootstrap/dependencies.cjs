'use strict';

const { readFileSync } = require('node:fs');
const { join } = require('node:path');

/** True when node_modules holds what package-lock.json asks for; by npm's own record, so it takes no time. */
function areDependenciesCurrent(root) {
  try {
    return hasAll(
      readPackages(root, 'package-lock.json'),
      readPackages(root, 'node_modules', '.package-lock.json'),
    );
  } catch {
    return false;
  }
}

const readPackages = (...path) => JSON.parse(readFileSync(join(...path), 'utf8')).packages;

/** Optional packages may be missing: those of other platforms are. Packages of another version may not stay. */
function hasAll(wanted, installed) {
  const isWanted = ([path, { version, integrity }]) => {
    const found = wanted[path];
    return found !== undefined && found.version === version && found.integrity === integrity;
  };
  const isThere = ([path, entry]) =>
    path === '' || entry.optional || entry.link || installed[path] !== undefined;
  return Object.entries(installed).every(isWanted) && Object.entries(wanted).every(isThere);
}

module.exports = { areDependenciesCurrent, hasAll };
