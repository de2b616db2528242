import { types } from 'node:util';
import { cut, readable, stripControls } from '#usher/domain';
import { maskQuery, maskText } from './mask.js';

/** Bounds of one log line, so that no value from outside can make it endless. */
const MAX_TEXT = 2048;
const MAX_KEY = 64;
const MAX_DEPTH = 5;
const MAX_VALUES = 300;
const MAX_CAUSES = 4;

const QUERY_KEY = /^(raw)?(query|search)(string)?$/i;
const SECRET_KEY = /pass|pwd|secret|token|authorization|cookie|credential|api-?_?key|private-?_?key/i;

/** Text that may come from outside: control characters visible, secrets masked, bounded. */
export function cleanText(text: string): string {
  // Cut before the work, generously, and after it: a hostile megabyte must not cost a second.
  const bounded = text.length > 2 * MAX_TEXT ? text.slice(0, 2 * MAX_TEXT) : text;
  return cut(maskText(isByteString(bounded) ? readable(bounded) : stripControls(bounded)), MAX_TEXT);
}

/** Wire strings hold one byte per character: only such a one can be UTF-8 that is yet to be read. */
function isByteString(text: string): boolean {
  let high = false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code > 0xff) return false;
    if (code > 0x7f) high = true;
  }
  return high;
}

/** A copy of the fields that is safe to write: plain JSON values, bounded, without secrets or control characters. */
export function cleanFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return cleanObject(fields, { left: MAX_VALUES }, 0);
}

interface Budget {
  left: number;
}

function cleanValue(value: unknown, budget: Budget, depth: number): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'boolean' || value === null || value === undefined) return value;
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object') return `[${typeof value}]`;
  if (value instanceof Error || types.isNativeError(value)) return cleanError(value, budget, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof URL) return cleanText(value.href);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= MAX_DEPTH) return '[deeper]';
  if (value instanceof Map) return cleanObject(Object.fromEntries(value), budget, depth);
  if (Array.isArray(value) || value instanceof Set) return cleanList(value, budget, depth);
  return cleanObject(value as Record<string, unknown>, budget, depth);
}

function cleanList(list: Iterable<unknown>, budget: Budget, depth: number): unknown[] {
  const out: unknown[] = [];
  for (const item of list) {
    if (budget.left-- <= 0) return [...out, '[more]'];
    out.push(cleanValue(item, budget, depth + 1));
  }
  return out;
}

function cleanObject(
  object: Readonly<Record<string, unknown>>,
  budget: Budget,
  depth: number,
): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  for (const key of Object.keys(object)) {
    if (budget.left-- <= 0) {
      entries.push(['more', true]);
      break;
    }
    entries.push([cleanKey(key), cleanProperty(object, key, budget, depth)]);
  }
  // Defines own properties even for `__proto__`.
  return Object.fromEntries(entries);
}

function cleanProperty(
  object: Readonly<Record<string, unknown>>,
  key: string,
  budget: Budget,
  depth: number,
): unknown {
  let value: unknown;
  try {
    value = object[key];
  } catch {
    return '[unreadable]';
  }
  if (value === null || value === undefined || typeof value === 'boolean') return value;
  if (QUERY_KEY.test(key) && typeof value === 'string') return stripControls(maskQuery(value));
  return SECRET_KEY.test(key) ? '***' : cleanValue(value, budget, depth + 1);
}

/** A key is masked as well: somebody may log headers or a parsed query. */
function cleanKey(key: string): string {
  return cut(maskText(stripControls(key.slice(0, MAX_KEY * 2))), MAX_KEY);
}

/** What broke, with its code, its causes, and its stack as lines; all of it may hold words from outside. */
function cleanError(error: Error, budget: Budget, depth: number): Record<string, unknown> {
  if (depth > MAX_CAUSES) return { message: '[deeper]' };
  const { code, cause, stack } = error as Error & { code?: unknown };
  return {
    type: cleanText(String(error.name)),
    message: cleanText(String(error.message)),
    ...(code === undefined ? {} : { code: cleanValue(code, budget, depth + 1) }),
    ...(typeof stack === 'string' ? { stack: stackLines(stack) } : {}),
    ...(cause === undefined ? {} : { cause: cleanValue(cause, budget, depth + 1) }),
  };
}

/** The frames only: the lines before them repeat the message. */
function stackLines(stack: string): string[] {
  return stack
    .slice(0, 4 * MAX_TEXT)
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .slice(0, 12)
    .map((line) => cleanText(line.trim()));
}
