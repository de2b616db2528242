/**
 * Compiles apps/, libs/ and the folders named on the command line with swc into dist/, with their tests where it says
 * `--specs`, copies the Lua scripts, and skips what is current. Then bundles the program (see bundle.mjs).
 */
import { mkdir, readdir, readFile, copyFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import swc from '@swc/core';
import { bundleProgram } from './bundle.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(root, 'dist');
const given = process.argv.slice(2);
const withSpecs = given.includes('--specs');
const tops = ['apps', 'libs', ...given.filter((word) => !word.startsWith('--'))];
const copied = /\.(lua|html|css|svg)$/;

/** Every file below a folder. */
async function* walk(folder) {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else yield path;
  }
}

const isSpec = (path) => /\.(spec|edge)\.(ts|js)(\.map)?$/.test(path);
const isSource = (path) => path.endsWith('.ts') && !path.endsWith('.d.ts') && (withSpecs || !isSpec(path));

/** True when the target is younger than its source. */
async function isCurrent(source, target) {
  try {
    return (await stat(target)).mtimeMs >= (await stat(source)).mtimeMs;
  } catch {
    return false;
  }
}

async function compile(source, target) {
  const { code, map } = await swc.transformFile(source, {
    configFile: join(root, '.swcrc'),
    sourceFileName: relative(dirname(target), source),
  });
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, `${code}\n//# sourceMappingURL=${target.split('/').pop()}.map\n`);
  await writeFile(`${target}.map`, map);
}

const wanted = new Set();
let built = 0;
for (const top of tops) {
  for await (const source of walk(join(root, top))) {
    const name = relative(root, source);
    if (isSource(source)) {
      const target = join(out, name.replace(/\.ts$/, '.js'));
      wanted.add(target).add(`${target}.map`);
      if (await isCurrent(source, target)) continue;
      await compile(source, target);
      built += 1;
    } else if (copied.test(source)) {
      const target = join(out, name);
      wanted.add(target);
      if (await isCurrent(source, target)) continue;
      await mkdir(dirname(target), { recursive: true });
      await copyFile(source, target);
      built += 1;
    }
  }
}

/** A module that was deleted or renamed must not live on in dist/; tests that were built before may. */
const isLeft = (path) => !wanted.has(path) && (withSpecs || !isSpec(path));
for (const top of tops) {
  try {
    for await (const path of walk(join(out, top))) if (isLeft(path)) await rm(path);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}
let changed = 0;
for (const target of wanted) {
  const [top] = relative(out, target).split(sep);
  if (!['apps', 'libs'].includes(top) || isSpec(target)) continue;
  changed = Math.max(changed, (await stat(target)).mtimeMs);
}
const isBundled = await bundleProgram({ root, changed });
const version = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).version;
console.log(
  built === 0 && !isBundled
    ? `usher ${version}: the build is current`
    : `usher ${version}: built ${built} files, and the program of them`,
);
