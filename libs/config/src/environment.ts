import { parse } from 'yaml';
import type { z } from 'zod';
import { factsOf, shapeOf, type SettingPath, type Shape } from './shape.js';
import { suggest } from './suggest.js';
import { decodeName, encodeName } from './variable-name.js';

type AnySchema = z.core.$ZodType;

/** A setting that a variable gives. */
export interface Assignment {
  readonly variable: string;
  readonly path: SettingPath;
  readonly value: unknown;
}

export interface EnvironmentSettings {
  readonly assignments: readonly Assignment[];
  /** Lines for people. */
  readonly problems: readonly string[];
}

/** Where the variables come from; files are read through `readFile`, so that reading stays the caller's. */
export interface EnvironmentSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Throws where it cannot. */
  readonly readFile: (path: string) => string;
}

interface Target {
  readonly path: SettingPath;
  readonly schema: AnySchema;
}

const PREFIX = 'USHER_';
/** Names the file; read by whoever looks for it. */
const CONFIG = 'USHER_CONFIG';
/** What hosting platforms call it; the same setting. */
const REDIS_URL = /^REDIS_URL(_FILE)?$/;
/** Kubernetes and old Docker links put these into each container beside a service that is called usher. */
const SERVICE_LINK = /_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$/;

/** `answerTtl` → `ANSWER_TTL` */
const upperSnake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

/** The settings of an object by the rest of their variable's name: of `gateway` by `LISTEN`, `ANSWER_TTL_ALLOW` … */
function settingsOf(shape: Shape, path: SettingPath = [], prefix = ''): Map<string, Target> {
  const found = new Map<string, Target>();
  for (const [key, schema] of shape.keys) {
    const target = { path: [...path, key], schema };
    const variable = prefix + upperSnake(key);
    found.set(variable, target);
    const inner = shapeOf(schema);
    if (inner.kind === 'object') {
      for (const [name, deeper] of settingsOf(inner, target.path, `${variable}_`)) found.set(name, deeper);
    }
  }
  return found;
}

/** The variable that sets a path; names of records are taken as they are (`<name>` for a document). */
export function variableOf(path: SettingPath, schema: AnySchema, encode = encodeName): string {
  let variable = PREFIX;
  let within: AnySchema | undefined = schema;
  let glue = '';
  for (const part of path) {
    const shape: Shape | undefined = within && shapeOf(within);
    const isName = shape?.kind === 'record';
    variable += isName ? `__${encode(String(part))}` : glue + upperSnake(String(part));
    glue = isName ? '__' : '_';
    within = shape?.keys.get(String(part)) ?? shape?.item;
  }
  return variable;
}

/** Reads the settings out of the environment. Everything that begins with USHER_ must be one. */
export function readEnvironment(source: EnvironmentSource, schema: AnySchema): EnvironmentSettings {
  const known = settingsOf(shapeOf(schema));
  const assignments: Assignment[] = [];
  const problems: string[] = [];
  const seen = new Map<string, string>();

  for (const [variable, text] of Object.entries(source.env).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (text === undefined || text === '' || variable === CONFIG) continue;
    const name = REDIS_URL.test(variable) ? PREFIX + variable : variable;
    if (!name.startsWith(PREFIX)) continue;
    const found = lookUp(name.slice(PREFIX.length), known);
    if (typeof found === 'string') {
      if (!SERVICE_LINK.test(name)) problems.push(`${variable}: ${found}`);
      continue;
    }
    const same = JSON.stringify(found.path);
    if (seen.has(same)) problems.push(`${variable}: ${seen.get(same)} sets the same; keep one of them`);
    seen.set(same, variable);
    try {
      const value = found.file ? readSecret(source, text) : parseValue(text, shapeOf(found.schema));
      assignments.push({ variable, path: found.path, value });
    } catch (error) {
      problems.push(`${variable}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  // A whole map first, then what is set within it.
  return { assignments: assignments.sort((a, b) => a.path.length - b.path.length), problems };
}

/** The setting that a variable names (without the prefix), or what is wrong with it. */
function lookUp(name: string, known: Map<string, Target>): (Target & { file: boolean }) | string {
  const plain = find(name, known);
  if (typeof plain !== 'string') return { ...plain, file: false };
  if (!name.endsWith('_FILE')) return plain;
  const secret = find(name.slice(0, -'_FILE'.length), known);
  if (typeof secret === 'string') return plain;
  return factsOf(secret.schema).secret === undefined
    ? 'only secrets and addresses are read from files; set it without _FILE'
    : { ...secret, file: true };
}

function find(name: string, known: Map<string, Target>): Target | string {
  const [first, entry, rest, ...more] = name.split('__');
  const target = known.get(first!);
  if (target === undefined) return unknown(first!, [...known.keys()], PREFIX);
  if (entry === undefined) return target;
  const shape = shapeOf(target.schema);
  if (shape.kind !== 'record') return `${PREFIX}${first} has no names in it; __ stands around a name only`;
  const key = decodeName(entry);
  if (key === undefined) return `"${entry}" is no name; ${HOW_NAMES_ARE_WRITTEN}`;
  const element = { path: [...target.path, key], schema: shape.item! };
  if (rest === undefined) return element;
  const inner = settingsOf(shapeOf(element.schema), element.path);
  const setting = more.length === 0 ? inner.get(rest) : undefined;
  return setting ?? unknown([rest, ...more].join('__'), [...inner.keys()], `${PREFIX}${first}__${entry}__`);
}

const HOW_NAMES_ARE_WRITTEN =
  'a name is written in capitals, - as _, anything else as _x and two hexadecimal digits (portal: PORTAL, astra-1: ASTRA_1, tv.example: TV_x2EEXAMPLE)';

function unknown(written: string, allowed: readonly string[], prefix: string): string {
  const meant = suggest(written, allowed);
  return meant === undefined
    ? `unknown setting. Allowed: ${allowed.map((name) => prefix + name).join(', ')}`
    : `unknown setting; did you mean ${prefix}${meant}?`;
}

/** A file's text without the newline at its end; several lines are several secrets. */
function readSecret(source: EnvironmentSource, path: string): unknown {
  const lines = source
    .readFile(path)
    .split(/\r?\n/)
    .filter((line) => line !== '');
  if (lines.length === 0) throw new Error(`${path} is empty`);
  return lines.length === 1 ? lines[0] : lines;
}

/** Text stays text (a password may look like a number or hold a #); all else is a YAML scalar, or flow: [a, b], {k: v}. */
function parseValue(text: string, shape: Shape): unknown {
  const flow = /^\s*[[{]/.test(text);
  const kinds = shape.kind === 'union' ? shape.options.map((option) => option.kind) : [shape.kind];
  if (flow && kinds.some((kind) => ['object', 'record', 'list'].includes(kind))) return parseYaml(text);
  if (kinds.some((kind) => kind === 'text' || kind === 'choice')) return text;
  if (shape.kind === 'list') return parseYaml(text.includes('\n') ? text : `[${text}]`);
  return parseYaml(text);
}

function parseYaml(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch {
    // The parser's own message would quote the value, which may be a secret.
    throw new Error('this is not YAML: a scalar, or flow such as [a, b] or {key: value}');
  }
}
