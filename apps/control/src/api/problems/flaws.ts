import type { z } from 'zod';
import type { Flaw } from './problem.js';

type Issue = z.core.$ZodIssue;

/** Says of each thing that a schema found wrong where it is, and what is allowed. Values are not said back. */
export function flawsOf(issues: readonly Issue[], schema: z.ZodType, value: unknown): Flaw[] {
  return issues.flatMap((issue) => flawOf(issue, schema, value));
}

function flawOf(issue: Issue, schema: z.ZodType, value: unknown): Flaw[] {
  const at = issue.path.map(String).join('.');
  switch (issue.code) {
    case 'unrecognized_keys': {
      const allowed = namesIn(schema, issue.path);
      const says = allowed.length === 0 ? 'unknown' : `unknown; allowed: ${allowed.join(', ')}`;
      return issue.keys.map((key) => ({ parameter: shown([at, key]), says }));
    }
    case 'invalid_value':
      return [{ parameter: at, says: `one of ${issue.values.map(String).join(', ')}` }];
    case 'invalid_type':
      return [{ parameter: at, says: wrongType(issue.expected, valueAt(value, issue.path)) }];
    default:
      return [{ parameter: at, says: issue.message }];
  }
}

function wrongType(expected: string, found: unknown): string {
  if (found === undefined) return 'missing';
  return Array.isArray(found) && expected === 'string' ? 'given more than once' : `expected ${expected}`;
}

/** Members of the object at a path. */
function namesIn(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let within: unknown = schema;
  for (const part of path) within = shapeOf(within)?.[String(part)];
  return Object.keys(shapeOf(within) ?? {});
}

/** Beneath what is optional or has a default. */
function shapeOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  let inner = schema as { shape?: Record<string, unknown>; unwrap?: () => unknown } | undefined;
  while (inner?.shape === undefined && typeof inner?.unwrap === 'function')
    inner = inner.unwrap() as typeof inner;
  return inner?.shape;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const part of path) found = (found as Record<PropertyKey, unknown> | null | undefined)?.[part];
  return found;
}

/** A name from outside is cut: it may be anything. */
function shown(parts: readonly string[]): string {
  return parts
    .filter((part) => part !== '')
    .join('.')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 64);
}
