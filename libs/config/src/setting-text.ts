import { stringify } from 'yaml';
import type { z } from 'zod';
import { factsOf, shapeOf, type Shape } from './shape.js';
import { showDuration, showSize } from './units.js';

type AnySchema = z.core.$ZodType;

/** What a setting's value may be, in a word or two. */
export function valueText(schema: AnySchema): string {
  const { kind } = factsOf(schema);
  return kind === 'duration' || kind === 'size' ? kind : shapeText(shapeOf(schema));
}

function shapeText(shape: Shape): string {
  switch (shape.kind) {
    case 'choice':
      return shape.choices.join(', ');
    case 'boolean':
      return 'true, false';
    case 'list':
      return `list of ${valueText(shape.item!)}`;
    case 'union':
      return [...new Set(shape.options.map(shapeText))].join(', or ');
    case 'object':
    case 'record':
      return 'map';
    default:
      return shape.kind;
  }
}

/** The default as it would be written in the file; undefined: there is none. */
export function defaultText(schema: AnySchema): string | undefined {
  const { kind, defaultValue } = factsOf(schema);
  if (defaultValue === undefined) return undefined;
  if (kind === 'duration') return showDuration(Number(defaultValue));
  if (kind === 'size') return showSize(Number(defaultValue));
  return flow(defaultValue);
}

/** A value in one line of YAML. */
export function flow(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0, singleQuote: true }).trimEnd();
}
