import type { z } from 'zod';

/** A schema, seen as a tree of settings: what environment, error messages and documents need to know of it. */
type AnySchema = z.core.$ZodType;

/** What a value may be, beneath optional, default and transform. */
export interface Shape {
  readonly kind: 'object' | 'record' | 'list' | 'text' | 'number' | 'boolean' | 'choice' | 'union';
  readonly schema: AnySchema;
  /** Of an object: its keys in the order of the schema. */
  readonly keys: ReadonlyMap<string, AnySchema>;
  /** Of a record: its values. Of a list: its items. */
  readonly item: AnySchema | undefined;
  /** Of a record: what a name may be. */
  readonly name: AnySchema | undefined;
  /** Of a choice: what is allowed. */
  readonly choices: readonly string[];
  /** Of a union: its members. */
  readonly options: readonly Shape[];
}

/** What stands on a setting: description, unit, secrecy, default. */
export interface Facts {
  readonly description: string;
  readonly kind: 'duration' | 'size' | 'fail mode' | undefined;
  readonly secret: 'all' | 'address' | undefined;
  /** Undefined: none. */
  readonly defaultValue: unknown;
  readonly optional: boolean;
  readonly examples: readonly unknown[];
}

type Definition = {
  type: string;
  innerType?: AnySchema;
  in?: AnySchema;
  shape?: Record<string, AnySchema>;
  keyType?: AnySchema;
  valueType?: AnySchema;
  element?: AnySchema;
  options?: AnySchema[];
  entries?: Record<string, string>;
  values?: unknown[];
  defaultValue?: unknown;
};

const definition = (schema: AnySchema): Definition => schema._zod.def as unknown as Definition;

/** The schema beneath optional, default, prefault and transform, outermost first. */
function* layers(schema: AnySchema): Generator<AnySchema> {
  let layer: AnySchema | undefined = schema;
  while (layer !== undefined) {
    yield layer;
    layer = definition(layer).innerType ?? definition(layer).in;
  }
}

/** What a value of this schema may be. */
export function shapeOf(schema: AnySchema): Shape {
  const core = [...layers(schema)].at(-1)!;
  const inner = definition(core);
  const base: Shape = {
    kind: 'text',
    schema: core,
    keys: new Map(),
    item: undefined,
    name: undefined,
    choices: [],
    options: [],
  };
  switch (inner.type) {
    case 'object':
      return { ...base, kind: 'object', keys: new Map(Object.entries(inner.shape!)) };
    case 'record':
      return { ...base, kind: 'record', item: inner.valueType, name: inner.keyType };
    case 'array':
      return { ...base, kind: 'list', item: inner.element };
    case 'enum':
      return { ...base, kind: 'choice', choices: Object.values(inner.entries!) };
    case 'literal':
      return { ...base, kind: 'choice', choices: inner.values!.map(String) };
    case 'union':
      return { ...base, kind: 'union', options: inner.options!.map(shapeOf) };
    case 'number':
    case 'boolean':
      return { ...base, kind: inner.type };
    case 'string':
      return base;
    default:
      throw new Error(`a setting of type ${inner.type} has no shape`);
  }
}

/** What stands on a setting. */
export function factsOf(schema: AnySchema): Facts {
  const all = [...layers(schema)];
  const meta = all.map((layer) => (layer as z.ZodType).meta?.());
  const first = <K extends 'description' | 'kind' | 'secret' | 'examples'>(key: K) =>
    meta.find((one) => one?.[key] !== undefined)?.[key];
  const withDefault = all.find((layer) => ['default', 'prefault'].includes(definition(layer).type));
  return {
    description: first('description') ?? '',
    kind: first('kind'),
    secret: first('secret'),
    defaultValue: withDefault === undefined ? undefined : definition(withDefault).defaultValue,
    optional: all.some((layer) => ['optional', 'default', 'prefault'].includes(definition(layer).type)),
    examples: (first('examples') as readonly unknown[] | undefined) ?? [],
  };
}

/** Where a setting stands: keys, names of records, places in lists. */
export type SettingPath = readonly (string | number)[];

/** `routes[0].match.channel` */
export function showPath(path: SettingPath): string {
  return path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : at > 0 ? `.${part}` : part))
    .join('');
}

/** The schema at a path; undefined where there is none. In a union, its first member that has the path. */
export function schemaAt(schema: AnySchema, path: SettingPath): AnySchema | undefined {
  const [part, ...rest] = path;
  if (part === undefined) return schema;
  const shape = shapeOf(schema);
  if (shape.kind === 'union') {
    return shape.options.map((option) => schemaAt(option.schema, path)).find((found) => found !== undefined);
  }
  const next = shape.keys.get(String(part)) ?? shape.item;
  return next === undefined ? undefined : schemaAt(next, rest);
}

/** The secrecy of the setting at a path, or of the one that it is part of. */
export function secrecyAt(schema: AnySchema, path: SettingPath): 'all' | 'address' | undefined {
  for (let depth = path.length; depth > 0; depth--) {
    const found = schemaAt(schema, path.slice(0, depth));
    const secret = found && factsOf(found).secret;
    if (secret !== undefined) return secret;
  }
  return undefined;
}
