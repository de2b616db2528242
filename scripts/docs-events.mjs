/** Writes what is generated from the events' descriptions: docs/events/*.schema.json and the types in docs/events.md. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { deliverySchema, EVENTS, jsonSchemaOf } from '../dist/apps/control/src/events/event-schemas.js';
import { withEvents } from '../dist/apps/control/src/events/events-page.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const page = join(root, 'docs', 'events.md');
const folder = join(root, 'docs', 'events');

await mkdir(folder, { recursive: true });
for (const name of await readdir(folder)) await rm(join(folder, name));
async function write(name, schema) {
  const text = await format(JSON.stringify(schema), { parser: 'json', printWidth: 110 });
  await writeFile(join(folder, `${name}.schema.json`), text);
}

await write('delivery', deliverySchema());
for (const type of Object.keys(EVENTS)) await write(type, jsonSchemaOf(type));
await writeFile(page, withEvents(await readFile(page, 'utf8')));
console.log('wrote docs/events/*.schema.json and docs/events.md');
