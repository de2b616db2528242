import { projectFiles } from './project-files.js';
import { violations } from './rules.js';
import { readSource } from './source-file.js';

const files = projectFiles(['apps', 'libs', 'test'], '.ts').filter(
  ({ path }) => !path.startsWith('apps/console/'),
);

describe('the tree', () => {
  it('has files in each part that the rules name', () => {
    for (const part of ['apps/usher', 'apps/gateway', 'apps/worker', 'libs/domain', 'libs/bus', 'test']) {
      expect(files.filter(({ path }) => path.startsWith(`${part}/`)).length).toBeGreaterThan(0);
    }
  });

  it('keeps every rule', () => {
    expect(violations(files.map(({ path, text }) => readSource(path, text)))).toEqual([]);
  });
});

/** What the rules say about files that are not there. */
function said(sources: Readonly<Record<string, string>>): string {
  return violations(Object.entries(sources).map(([path, text]) => readSource(path, text))).join('\n');
}

describe('each rule can fail', () => {
  it.each([
    ['an arrow that points up', 'libs/redis/src/x.ts', "import '#usher/sessions';", 'arrows point down only'],
    [
      'a library that imports the node',
      'libs/decisions/src/x.ts',
      "import '#usher/node';",
      'point down only',
    ],
    ['two on one level', 'libs/sessions/src/x.ts', "import type { A } from '#usher/backends';", 'one level'],
    ['rules beside sessions', 'libs/rules/src/x.ts', "import '#usher/sessions';", 'one level'],
    ['the driver of tokens elsewhere', 'libs/decisions/src/x.ts', "import 'jose';", 'lives in libs/rules'],
    ['dialects beside decisions', 'libs/decisions/src/x.ts', "import '#usher/dialects';", 'one level'],
    ['the bus with something of ours', 'libs/bus/src/x.ts', "import '#usher/domain';", 'nothing of ours'],
    ['an app in an app', 'apps/gateway/src/x.ts', "import '../../worker/src/worker.js';", 'but apps/usher'],
    [
      'an app in a library',
      'libs/node/src/x.ts',
      "import '../../../apps/worker/src/w.js';",
      'but apps/usher',
    ],
    ['testing in a source', 'libs/redis/src/x.ts', "import '#usher/testing';", 'for tests only'],
    ['test support in a source', 'libs/bus/src/x.ts', "import '../../../test/support/a.js';", 'is for test/'],
    [
      'testing with a library',
      'libs/testing/src/x.ts',
      "import '#usher/redis';",
      'rests on libs/domain only',
    ],
    ['a library by its inside', 'apps/worker/src/x.ts', "import '../../../libs/bus/src/line.js';", 'index'],
    ['a library by a path', 'apps/worker/src/x.ts', "import '#usher/bus/src/line.js';", 'past its index'],
    ['a library without a level', 'libs/new/src/x.ts', "import '#usher/domain';", 'it has no level'],
    ['a dynamic import', 'libs/redis/src/x.ts', "const a = await import('#usher/node');", 'point down only'],
    ['an import of a type', 'libs/redis/src/x.ts', "let a: import('#usher/node').A;", 'point down only'],
    ['a re-export', 'libs/redis/src/x.ts', "export { a } from '#usher/node';", 'point down only'],
    [
      'a driver elsewhere',
      'libs/sessions/src/x.ts',
      "import { Redis } from 'ioredis';",
      'lives in libs/redis',
    ],
    [
      'another driver',
      'apps/gateway/src/x.ts',
      "import { request } from 'undici';",
      'lives in libs/backends',
    ],
    ['a package of the domain', 'libs/domain/src/x.ts', "import { z } from 'zod';", 'zod lives in'],
    ['a package by require', 'libs/domain/src/x.ts', "const z = require('zod/v4');", 'zod lives in'],
    ['a package of nobody', 'libs/redis/src/x.ts', "import 'left-pad';", 'left-pad has no place yet'],
    ["a tests' package", 'libs/bus/src/x.ts', "import fc from 'fast-check';", 'for tests only'],
    ['forwardRef', 'apps/worker/src/x.ts', 'const a = forwardRef(() => B);', 'forwardRef hides a cycle'],
    ['process.env', 'libs/config/src/x.ts', 'const a = process.env.HOME;', 'reads process.env'],
    ["process['env']", 'apps/usher/src/x.ts', "const a = process['env'];", 'reads process.env'],
    ['{ env } of process', 'libs/redis/src/x.ts', 'const { env } = process;', 'reads process.env'],
    ['node:process', 'libs/redis/src/x.ts', "import { env } from 'node:process';", 'reads process.env'],
    ['export *', 'libs/bus/src/index.ts', "export * from './line.js';", 'export * says nothing'],
    ['a barrel', 'libs/bus/src/lanes/index.ts', "export { a } from './a.js';", "a library's edge"],
  ])('on %s', (_, path, text, sentence) => {
    expect(said({ [path]: text })).toContain(sentence);
  });

  it('on an import cycle, of types too', () => {
    const cycle = {
      'libs/bus/src/a.ts': "import { b } from './b.js';",
      'libs/bus/src/b.ts': "import type { C } from './c.js';",
      'libs/bus/src/c.ts': "export { a } from './a.js';",
    };
    expect(said(cycle)).toContain(
      'libs/bus/src/a.ts → libs/bus/src/b.ts → libs/bus/src/c.ts → libs/bus/src/a.ts',
    );
  });

  it('and not on what is right', () => {
    expect(
      said({
        'apps/usher/src/main.ts': "import '../../worker/src/worker.js'; const a = process.env;",
        'apps/gateway/src/x.ts':
          "import '#usher/node'; import '#usher/domain'; import 'node:fs'; import fs from 'fs';",
        'libs/node/src/x.ts': "import '#usher/sessions'; import '#usher/bus';",
        'libs/bus/src/x.spec.ts': "import '#usher/testing'; import 'fast-check'; import './x.js';",
        'libs/bus/src/x.ts': "// process.env, forwardRef(\nconst a = 'process.env'; export { a };",
      }),
    ).toBe('');
  });
});
