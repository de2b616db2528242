import type { z } from 'zod';
import { configSchema } from './schema.js';
import { defaultText, flow, valueText } from './setting-text.js';
import { factsOf, shapeOf } from './shape.js';

type AnySchema = z.core.$ZodType;

const HEAD = `# Usher's settings, all of them. Generated from the schema: do not edit by hand, copy to usher.yaml what you need.
#
# "# " begins an explanation; "#key: value" is a setting at its default, or an example where it has none.
# Each is also a variable of the environment: docs/configuration.md.
`;

const WIDTH = 116;
/** A longer default is told by the line below only. */
const SHORT = 40;

/** The documented example: loads as it is, and with any of its settings uncommented. */
export function exampleFile(): string {
  const sections = [...shapeOf(configSchema).keys].map(([key, schema]) => section(key, schema).join('\n'));
  return `${[HEAD, ...sections].join('\n')}\n`.replace(/\n{3,}/g, '\n\n');
}

function section(key: string, schema: AnySchema): string[] {
  const shape = shapeOf(schema);
  const { description, examples } = factsOf(schema);
  const head = description === '' ? [] : prose(description, 0);
  if (shape.kind === 'object') return ['', `${key}:`, ...settings(schema, {}, 2)];
  if (shape.kind === 'record') return ['', ...head, `${key}:`, ...entries(shape.item!, examples[0] as Given)];
  if (shape.kind === 'list') {
    const items = examples.map((item) => `  - ${flow(item)}`);
    return ['', ...head, ...fields(shape.item!, '', 2), `${key}:`, ...items];
  }
  return setting(key, schema, undefined, 0);
}

type Given = Readonly<Record<string, unknown>>;

/** The first entry of a record with all that may stand in it, the others as they are. */
function entries(item: AnySchema, examples: Given): string[] {
  return Object.entries(examples).flatMap(([name, given], at) =>
    at === 0 ? [`  ${name}:`, ...settings(item, given as Given, 4)] : [`  ${name}: ${flow(given)}`],
  );
}

/** The settings of a map; those given stand there, the others are commented out. */
function settings(schema: AnySchema, given: Given, indent: number): string[] {
  return [...shapeOf(schema).keys].flatMap(([key, inner]) => setting(key, inner, given[key], indent));
}

function setting(key: string, schema: AnySchema, given: unknown, indent: number): string[] {
  const pad = ' '.repeat(indent);
  const { description } = factsOf(schema);
  if (shapeOf(schema).kind === 'object') {
    const inner = settings(schema, (given ?? {}) as Given, indent + 2);
    return [...(description === '' ? [] : prose(description, indent)), `${pad}${key}:`, ...inner];
  }
  const text = given === undefined ? (defaultText(schema) ?? exampleText(schema)) : flow(given);
  return [...prose(facts(schema), indent), `${pad}${given === undefined ? '#' : ''}${key}: ${text}`];
}

/** `For one call, connection included. (duration; default 1s)` */
function facts(schema: AnySchema): string {
  const text = defaultText(schema);
  const { description, optional } = factsOf(schema);
  const isTold = text === undefined ? optional : text.length > SHORT;
  const standard = isTold ? '' : text === undefined ? '; required' : `; default ${text}`;
  return `${description} (${valueText(schema)}${standard})`;
}

function exampleText(schema: AnySchema): string {
  const [example] = factsOf(schema).examples;
  if (example !== undefined) return flow(example);
  throw new Error(`a setting without default needs an example: ${factsOf(schema).description}`);
}

/** What may stand in the items of a list, as prose. */
function fields(schema: AnySchema, prefix: string, indent: number): string[] {
  return [...shapeOf(schema).keys].flatMap(([key, inner]) => [
    ...prose(`${prefix}${key}: ${facts(inner)}`, 0, ' '.repeat(indent)),
    ...(shapeOf(inner).kind === 'object' ? fields(inner, `${prefix}${key}.`, indent) : []),
  ]);
}

/** Comment lines of a readable width. */
function prose(text: string, indent: number, hang = ''): string[] {
  const start = `${' '.repeat(indent)}# ${hang}`;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && start.length + line.length + 1 + word.length > WIDTH) {
      lines.push(start + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, start + line];
}
