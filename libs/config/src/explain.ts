import type { z } from 'zod';
import type { Problem } from './problem.js';
import { schemaAt, secrecyAt, shapeOf, type SettingPath, type Shape } from './shape.js';
import { suggest } from './suggest.js';

type AnySchema = z.core.$ZodType;
type Issue = z.core.$ZodIssue;

/** Says in words what the schema found wrong, with what is allowed. An unknown key is a problem of its own each. */
export function explain(issues: readonly Issue[], schema: AnySchema, data: unknown): Problem[] {
  return issues.flatMap((issue) => problemsOf(issue, schema, data));
}

function problemsOf(issue: Issue, schema: AnySchema, data: unknown): Problem[] {
  const path = issue.path as SettingPath;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: unknownKey(key, schemaAt(schema, path)),
      }));
    case 'invalid_key':
      return [{ path, message: `expected ${issue.issues[0]?.message ?? 'another name'}` }];
    default: {
      const value = valueAt(data, path);
      const expected = expectation(issue, schemaAt(schema, path));
      if (value === undefined) return [{ path, message: `missing; expected ${expected}` }];
      return [
        {
          path,
          message: `${hint(value, schemaAt(schema, path))}expected ${expected}${got(value, path, schema)}`,
        },
      ];
    }
  }
}

function unknownKey(key: string, parent: AnySchema | undefined): string {
  const allowed = parent === undefined ? [] : [...shapeOf(parent).keys.keys()];
  const meant = suggest(key, allowed);
  return `unknown key;${meant === undefined ? '' : ` did you mean "${meant}"?`} Allowed: ${allowed.join(', ')}`;
}

/** What is allowed. The schema's own messages (units.ts) are such phrases already. */
function expectation(issue: Issue, schema: AnySchema | undefined): string {
  switch (issue.code) {
    case 'invalid_value':
      return issue.values.map(String).join(', ');
    case 'too_small':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `a number ${issue.inclusive === false ? 'above' : 'of at least'} ${issue.minimum}`
        : `at least ${issue.minimum} ${issue.origin === 'array' ? 'in the list' : 'characters'}`;
    case 'too_big':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `a number of at most ${issue.maximum}`
        : `at most ${issue.maximum} characters`;
    case 'invalid_type':
      return issue.expected === 'int' ? 'a whole number' : kindInWords(schema && shapeOf(schema));
    default:
      return issue.message;
  }
}

function kindInWords(shape: Shape | undefined): string {
  switch (shape?.kind) {
    case 'object':
    case 'record':
      return 'a map of key: value';
    case 'list':
      return 'a list, such as [a, b]';
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    case 'choice':
      return shape.choices.join(', ');
    default:
      return 'text (in quotes where it looks like a number)';
  }
}

const hint = (value: unknown, schema: AnySchema | undefined): string => {
  const meant = typeof value === 'string' && schema ? suggest(value, shapeOf(schema).choices) : undefined;
  return meant === undefined ? '' : `did you mean ${meant}? `;
};

/** What was written, unless it is or may hold a secret. */
function got(value: unknown, path: SettingPath, schema: AnySchema): string {
  if (secrecyAt(schema, path) !== undefined || value === null || typeof value === 'object') return '';
  return `, not ${JSON.stringify(value).slice(0, 80)}`;
}

function valueAt(data: unknown, path: SettingPath): unknown {
  let value = data;
  for (const part of path) {
    if (value === null || typeof value !== 'object') return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
