import { posix } from 'node:path';

/** Where a file stands: `libs/bus`, `apps/gateway`, or `test`. */
export function placeOf(path: string): string {
  const [top = '', name = ''] = path.split('/');
  return top === 'libs' || top === 'apps' ? `${top}/${name}` : top;
}

/** Specs, what only they use (`for-tests.ts`, a library's `test/`), and whole systems. */
export function isTest(path: string): boolean {
  const [top, , folder] = path.split('/');
  return top === 'test' || folder === 'test' || /(\.spec|\/for-tests)\.ts$/.test(path);
}

/** The file of ours that an import leads to; undefined for packages and Node's own. */
export function targetOf(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#usher/')) return `libs/${specifier.slice('#usher/'.length)}/src/index.ts`;
  if (!specifier.startsWith('.')) return undefined;
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts');
}

/** The npm package that an import leads to; undefined for files of ours and Node's own. */
export function packageOf(specifier: string): string | undefined {
  if (/^(\.|#|node:)/.test(specifier)) return undefined;
  const [first = '', second = ''] = specifier.split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}
