import type { z } from 'zod';
import { variableOf } from './environment.js';
import { configSchema } from './schema.js';
import { defaultText, valueText } from './setting-text.js';
import { factsOf, shapeOf, type SettingPath } from './shape.js';

type AnySchema = z.core.$ZodType;

const NAME = '<name>';

/** Between these lines of the page stand the tables. */
const MARKS = /(<!-- settings: [^\n]*-->\n)[^]*(<!-- \/settings -->)/;

/** The page with its tables as the schema has them. Throws where the page has no place for them. */
export function withSettings(page: string): string {
  if (!MARKS.test(page)) throw new Error('the page has no <!-- settings: … --> and <!-- /settings -->');
  return page.replace(MARKS, (_, start: string, end: string) => `${start}\n${settingsTable()}\n\n${end}`);
}

/** All settings as Markdown tables, one for each section of the file. */
function settingsTable(): string {
  const sections = [...shapeOf(configSchema).keys];
  const single = sections.filter(([, schema]) => !hasInner(schema));
  const tables = sections.filter(([, schema]) => hasInner(schema));
  return [
    table(
      'At the top',
      '',
      single.flatMap(([key, schema]) => rows(schema, [key])),
    ),
    ...tables.map(([key, schema]) => table(`\`${key}\``, factsOf(schema).description, rows(schema, [key]))),
  ].join('\n\n');
}

const hasInner = (schema: AnySchema): boolean => ['object', 'record', 'list'].includes(shapeOf(schema).kind);

function table(title: string, description: string, body: readonly string[]): string {
  const head = ['| Key | Value | Default | What it is | Variable |', '|---|---|---|---|---|'];
  return [`### ${title}`, '', ...(description === '' ? [] : [description, '']), ...head, ...body].join('\n');
}

/** A row for each value; what holds others is told by their paths. */
function rows(schema: AnySchema, path: SettingPath): string[] {
  const shape = shapeOf(schema);
  if (shape.kind === 'object') return [...shape.keys].flatMap(([key, inner]) => rows(inner, [...path, key]));
  if (shape.kind === 'record' && hasInner(shape.item!)) return rows(shape.item!, [...path, NAME]);
  if (shape.kind === 'list' && hasInner(shape.item!)) return rows(shape.item!, [...path, '[]']);
  return [row(schema, path)];
}

function row(schema: AnySchema, path: SettingPath): string {
  const { description, optional, secret } = factsOf(schema);
  const listAt = path.indexOf('[]');
  // An item of a list has no variable of its own: the whole list has.
  const variable = variableOf(listAt === -1 ? path : path.slice(0, listAt), configSchema, () => '<NAME>');
  const file = secret === undefined || listAt !== -1 ? '' : ', …`_FILE`';
  const cells = [
    code(path.join('.').replaceAll('.[]', '[]')),
    valueText(schema),
    shownDefault(schema, optional),
    description,
    `${code(variable)}${file}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function shownDefault(schema: AnySchema, optional: boolean): string {
  const text = defaultText(schema);
  if (text !== undefined) return text === '' ? '' : code(text);
  return optional ? '' : '**required**';
}

const code = (text: string): string => `\`${text}\``;
