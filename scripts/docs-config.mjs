/** Writes what is generated from the schema: usher.example.yaml and the tables of docs/configuration.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exampleFile, withSettings } from '#usher/config';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const page = join(root, 'docs', 'configuration.md');

await writeFile(join(root, 'usher.example.yaml'), exampleFile());
await writeFile(page, withSettings(await readFile(page, 'utf8')));
console.log('wrote usher.example.yaml and docs/configuration.md');
