import { builtinModules } from 'node:module';
import { cycleIn } from './cycles.js';
import { isTest, packageOf, placeOf, targetOf } from './places.js';
import type { SourceFile } from './source-file.js';

/** From the top: each may import from those below it, never from its own level. */
const LEVELS: readonly (readonly string[])[] = [
  ['apps/gateway', 'apps/worker', 'apps/control'],
  ['libs/node'],
  ['libs/decisions', 'libs/dialects'],
  ['libs/backends', 'libs/sessions', 'libs/bus', 'libs/rules'],
  ['libs/redis', 'libs/config', 'libs/observe'],
  ['libs/domain'],
];
/** Composes the processes into one: the only one that may import from apps. */
const COMPOSER = 'apps/usher';
const TESTING = 'libs/testing';
/** Usable by anybody's Nest application: nothing of ours in it. */
const STANDALONE = 'libs/bus';

const APPS = ['apps/gateway', 'apps/worker', 'apps/control', COMPOSER];
/** Who may use a package. One that is not here belongs to nobody yet: decide, and write it down. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  ioredis: ['libs/redis', 'libs/bus', TESTING],
  undici: ['libs/backends'],
  opossum: ['libs/backends'],
  'prom-client': ['libs/observe'],
  pino: ['libs/observe'],
  'pino-pretty': ['libs/observe'],
  '@nestjs/terminus': ['libs/observe'],
  zod: ['libs/config', 'apps/control'],
  yaml: ['libs/config', COMPOSER],
  'lru-cache': ['libs/decisions', 'libs/observe', 'libs/rules', 'apps/gateway'],
  picomatch: ['libs/decisions'],
  jose: ['libs/rules'],
  'mmdb-lib': ['libs/rules'],
  'ipaddr.js': ['libs/config', 'libs/sessions', 'apps/gateway'],
  commander: [COMPOSER],
  bullmq: ['apps/control'],
  '@nestjs/bullmq': ['apps/control'],
  '@nestjs/swagger': ['apps/control'],
  rxjs: ['libs/bus', ...APPS],
  fastify: ['apps/gateway', 'apps/control'],
  '@nestjs/platform-fastify': ['libs/observe', ...APPS],
  '@nestjs/microservices': ['libs/bus', ...APPS],
  '@nestjs/common': ['libs/bus', 'libs/observe', ...APPS],
  '@nestjs/core': ['libs/bus', 'libs/observe', ...APPS],
  'reflect-metadata': ['libs/bus', 'libs/observe', ...APPS],
};
const PACKAGES_OF_TESTS: ReadonlySet<string> = new Set([
  '@jest/globals',
  '@nestjs/testing',
  '@swc/core',
  'fast-check',
]);

/** The configuration is read from the environment in one place; tests may have switches of their own. */
const READS_ENVIRONMENT = 'apps/usher/src/main.ts';

/** What is wrong with these files, a sentence each; nothing where all is well. */
export function violations(files: readonly SourceFile[]): string[] {
  const found = files.flatMap((file) => [
    ...file.imports.flatMap((specifier) => wrongImport(file.path, specifier) ?? []),
    ...wrongHabits(file),
  ]);
  const cycle = cycleIn(files);
  return cycle === undefined ? found : [...found, `an import cycle: ${cycle.join(' → ')}`];
}

function wrongImport(path: string, specifier: string): string | undefined {
  const name = packageOf(specifier);
  if (name !== undefined && !builtinModules.includes(name)) return wrongPackage(path, name);
  const target = targetOf(path, specifier);
  if (target === undefined || placeOf(target) === placeOf(path)) return undefined;
  const why = wrongWay(path, target);
  if (why !== undefined) return `${path} imports ${specifier}: ${why}`;
  // Composition roots are imported as files; a library only by what its index gives.
  const isWholeLibrary = specifier.startsWith('#usher/') && !specifier.slice('#usher/'.length).includes('/');
  return target.startsWith('libs/') && !isWholeLibrary
    ? `${path} imports ${specifier}: a library is imported as #usher/<name>, past its index by nobody`
    : undefined;
}

function wrongWay(path: string, target: string): string | undefined {
  const from = placeOf(path);
  const to = placeOf(target);
  if (to === 'test') return 'what is in test/ is for test/';
  if (to === TESTING) return isTest(path) ? undefined : 'libs/testing is for tests only';
  if (from === 'test') return undefined;
  if (from === STANDALONE) return 'libs/bus imports nothing of ours';
  if (from === TESTING) return to === 'libs/domain' ? undefined : 'libs/testing rests on libs/domain only';
  if (from === COMPOSER) return undefined;
  if (to.startsWith('apps/')) return 'nobody imports from an app but apps/usher';
  const above = levelOf(from);
  const below = levelOf(to);
  if (above === -1 || below === -1) return 'it has no level: give it one';
  if (above === below) return 'libraries on one level do not import one another';
  return above < below ? undefined : 'arrows point down only';
}

function levelOf(place: string): number {
  return LEVELS.findIndex((level) => level.includes(place));
}

function wrongPackage(path: string, name: string): string | undefined {
  if (PACKAGES_OF_TESTS.has(name)) {
    return isTest(path) || path.startsWith(`${TESTING}/`) ? undefined : `${path}: ${name} is for tests only`;
  }
  if (path.startsWith('test/')) return undefined;
  const owners = PACKAGES[name];
  if (owners === undefined) return `${path}: ${name} has no place yet`;
  return owners.includes(placeOf(path)) ? undefined : `${path}: ${name} lives in ${owners.join(', ')}`;
}

function wrongHabits(file: SourceFile): string[] {
  const { path } = file;
  const wrong: string[] = [];
  if (file.callsForwardRef) wrong.push(`${path}: forwardRef hides a cycle`);
  if (file.exportsAllOf.length > 0) wrong.push(`${path}: export * says nothing; name what is exported`);
  if (file.readsEnvironment && path !== READS_ENVIRONMENT && !isTest(path) && placeOf(path) !== TESTING) {
    wrong.push(`${path}: only ${READS_ENVIRONMENT} reads process.env`);
  }
  if (path.endsWith('/index.ts') && !/^libs\/[^/]+\/src\/index\.ts$/.test(path)) {
    wrong.push(`${path}: an index stands only at a library's edge`);
  }
  return wrong;
}
