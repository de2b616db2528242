/**
 * Puts the program and what it imports into the few files of dist/usher/: Node takes several times as long to find,
 * read and link some two thousand modules as to run what stands in them.
 */
import { rename, rm, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { rolldown } from 'rolldown';

/** The program within dist/, as modules. */
const PROGRAM = join('apps', 'usher', 'src', 'main.js');

/** Lua scripts and pages lie beside the module that reads them, not beside the bundle. */
const placesOf = (dist, bundle) => ({
  name: 'places-of-modules',
  transform(code, id) {
    if (!id.startsWith(dist + sep) || !code.includes('import.meta.url')) return undefined;
    const place = JSON.stringify(relative(bundle, id).replaceAll(sep, '/'));
    return { code: code.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`), map: null };
  },
});

/** Bundles unless that is current; `changed` is when the youngest module was built, ms. True if it had to. */
export async function bundleProgram({ root, changed }) {
  const dist = join(root, 'dist');
  const bundle = join(dist, 'usher');
  const made = await timeOf(join(bundle, 'main.js'));
  const others = await Promise.all(
    [join(root, 'node_modules', '.package-lock.json'), import.meta.filename].map(timeOf),
  );
  if (made >= Math.max(changed, ...others)) return false;

  const draft = join(dist, 'usher.draft');
  await rm(draft, { recursive: true, force: true });
  const program = await rolldown({
    input: { main: join(dist, PROGRAM) },
    platform: 'node',
    plugins: [placesOf(dist, bundle)],
    // What Nest would load if it were there (other transports, validators) stays an import that fails when it is reached.
    onLog: (level, log, write) => log.code !== 'UNRESOLVED_IMPORT' && write(level, log),
  });
  await program.write({ dir: draft, format: 'esm', sourcemap: true, keepNames: true });
  await program.close();
  await rm(bundle, { recursive: true, force: true });
  await rename(draft, bundle);
  return true;
}

/** When the file was written, ms; 0 where there is none. */
async function timeOf(file) {
  try {
    return (await stat(file)).mtimeMs;
  } catch {
    return 0;
  }
}
