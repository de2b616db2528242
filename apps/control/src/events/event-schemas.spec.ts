import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVENT_TYPES } from '#usher/sessions';
import { EXAMPLES } from './event-examples.js';
import { deliverySchema, EVENTS, jsonSchemaOf, schemaOf } from './event-schemas.js';
import { exampleOf, withEvents } from './events-page.js';

const DOCS = 'docs';
const types = Object.keys(EVENTS);

describe('the documents of events (node scripts/docs-events.mjs writes them)', () => {
  it('have a schema for each type, as the code has it, and no other', () => {
    const names = readdirSync(join(DOCS, 'events')).sort();
    expect(names).toEqual(['delivery', ...types].map((name) => `${name}.schema.json`).sort());
    const read = (name: string): unknown =>
      JSON.parse(readFileSync(join(DOCS, 'events', `${name}.schema.json`), 'utf8'));
    for (const type of types) expect(read(type)).toEqual(JSON.parse(JSON.stringify(jsonSchemaOf(type))));
    expect(read('delivery')).toEqual(deliverySchema());
  });

  it('tell of each type, with an example', () => {
    const page = readFileSync(join(DOCS, 'events.md'), 'utf8');
    expect(page).toBe(withEvents(page));
    for (const type of types) expect(page).toContain(`### ${type}\n`);
  });

  it('have examples that are what the schemas describe, with no fact that the schema does not', () => {
    expect(Object.keys(EXAMPLES)).toEqual(types);
    for (const type of types) {
      expect(() => schemaOf(type)!.parse(exampleOf(type))).not.toThrow();
      expect(Object.keys(EVENTS[type]!.facts)).toEqual(expect.arrayContaining(Object.keys(EXAMPLES[type]!)));
    }
  });
});

it('describes every type that code or a script tells, and no other', () => {
  // What TypeScript tells has one of these types, or does not compile.
  expect(types).toEqual([...EVENT_TYPES]);
  const scripts = readdirSync('libs', { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.lua'),
  );
  const told = scripts.flatMap((path) =>
    Array.from(
      readFileSync(join('libs', path), 'utf8').matchAll(/\btell(?:End)?\(kept, '([^']+)'/g),
      ([, type = '']) => type,
    ),
  );
  expect([...new Set(told)].sort()).toEqual([
    'limit.reached',
    'session.closed',
    'session.moved',
    'session.opened',
    'session.revoked',
    'session.updated',
  ]);
  expect(types).toEqual(expect.arrayContaining(told));
});

it('a schema refuses what is no such event', () => {
  const event = exampleOf('session.closed');
  const schema = schemaOf('session.closed')!;
  expect(schema.safeParse({ ...event, id: '1-1-1' }).success).toBe(false);
  expect(schema.safeParse({ ...event, type: 'session.opened' }).success).toBe(false);
  expect(schema.safeParse({ ...event, facts: {} }).success).toBe(false);
  expect(schema.safeParse({ ...event, further: 1 }).success).toBe(true);
});
