import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = process.cwd();

export interface ProjectFile {
  readonly path: string;
  readonly text: string;
}

/** All files under these folders whose name ends so, by path. */
export function projectFiles(folders: readonly string[], end: string): ProjectFile[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(
        (name) => `${folder}/${name.replaceAll('\\', '/')}`,
      ),
    )
    .filter((path) => path.endsWith(end) && !/(^|\/)(node_modules|dist)\//.test(path))
    .sort()
    .map((path) => ({ path, text: readProjectFile(path) }));
}

export function readProjectFile(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function projectFolder(path: string): string {
  return join(ROOT, path);
}

export function isThere(path: string): boolean {
  return existsSync(join(ROOT, path));
}
