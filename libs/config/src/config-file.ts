import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import { ConfigError } from './problem.js';
import type { SettingPath } from './shape.js';

/** A configuration file as it was written. JSON is YAML too. */
export interface ConfigFile {
  /** As shown in messages. */
  readonly name: string;
  readonly data: unknown;
  has(path: SettingPath): boolean;
  /** `usher.yaml:12`: the line of the setting, or of the nearest thing around it. */
  place(path: SettingPath): string;
}

/** Reads YAML. Throws ConfigError, with lines, where it is none. */
export function parseConfigFile(name: string, text: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    throw new ConfigError(
      problems.map((problem) => `${name}:${lines.linePos(problem.pos[0]).line}: ${problem.message}`),
    );
  }
  return {
    name,
    data: toPlain(document, name),
    has: (path) => document.hasIn(path),
    place: (path) => `${name}:${lines.linePos(offsetOf(document, path)).line}`,
  };
}

function toPlain(document: Document, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new ConfigError([`${name}: ${error instanceof Error ? error.message : String(error)}`]);
  }
}

/** The offset of the key (in a map) or item (in a list) at the path, as far as the file has it. */
function offsetOf(document: Document, path: SettingPath): number {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(part));
      if (pair === undefined) break;
      offset = startOf(pair.key);
      node = pair.value;
    } else if (isSeq(node) && node.items[Number(part)] !== undefined) {
      node = node.items[Number(part)];
      offset = startOf(node);
    } else break;
  }
  return offset;
}

const startOf = (node: unknown): number => (node as Node | null)?.range?.[0] ?? 0;
