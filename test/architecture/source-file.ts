import { parseSync } from '@swc/core';

/** What the rules want to know of one file. */
export interface SourceFile {
  /** From the root of the project, with `/`. */
  readonly path: string;
  /** What it imports, as written: static, dynamic and type imports, re-exports, `require`. */
  readonly imports: readonly string[];
  /** Sources of `export * from`. */
  readonly exportsAllOf: readonly string[];
  readonly callsForwardRef: boolean;
  readonly readsEnvironment: boolean;
}

interface Node {
  readonly type?: string;
  readonly [field: string]: unknown;
}

/** Reads a file's text. Throws on what is no TypeScript. */
export function readSource(path: string, text: string): SourceFile {
  const imports: string[] = [];
  const exportsAllOf: string[] = [];
  let callsForwardRef = false;
  let readsEnvironment = false;
  for (const node of nodesOf(parseSync(text, { syntax: 'typescript', decorators: true }))) {
    const source = sourceOf(node);
    if (source !== undefined) imports.push(source);
    if (node.type === 'ExportAllDeclaration' && source !== undefined) exportsAllOf.push(source);
    if (node.type === 'CallExpression' && isNamed(node['callee'], 'forwardRef')) callsForwardRef = true;
    if (isEnvironment(node) || source === 'node:process' || source === 'process') readsEnvironment = true;
  }
  return { path, imports, exportsAllOf, callsForwardRef, readsEnvironment };
}

function* nodesOf(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item);
  else if (typeof value === 'object' && value !== null) {
    yield value as Node;
    yield* nodesOf(Object.values(value));
  }
}

const IMPORTING = new Set(['ImportDeclaration', 'ExportNamedDeclaration', 'ExportAllDeclaration']);

function sourceOf(node: Node): string | undefined {
  if (IMPORTING.has(node.type ?? '')) return textOf(node['source']);
  if (node.type === 'TsImportType') return textOf(node['argument']);
  if (node.type === 'TsExternalModuleReference') return textOf(node['expression']);
  if (node.type !== 'CallExpression') return undefined;
  const callee = node['callee'] as Node;
  if (callee.type !== 'Import' && !isNamed(callee, 'require')) return undefined;
  const [first] = node['arguments'] as { expression: unknown }[];
  return textOf(first?.expression);
}

/** `process.env`, `process['env']`, and `{ env } = process`. */
function isEnvironment(node: Node): boolean {
  if (node.type === 'VariableDeclarator') {
    return (node['id'] as Node).type === 'ObjectPattern' && isNamed(node['init'], 'process');
  }
  if (node.type !== 'MemberExpression' || !isNamed(node['object'], 'process')) return false;
  const property = node['property'] as Node;
  return isNamed(property, 'env') || textOf(property['expression']) === 'env';
}

function isNamed(node: unknown, name: string): boolean {
  const { type, value } = (node ?? {}) as Node;
  return type === 'Identifier' && value === name;
}

function textOf(node: unknown): string | undefined {
  const { type, value } = (node ?? {}) as Node;
  return type === 'StringLiteral' ? (value as string) : undefined;
}
