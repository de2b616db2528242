import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RedisScript } from './client.js';

/**
 * Reads a Lua file that lies beside its caller: `script(import.meta.url, './open-session-4.lua')`. Throws if the name
 * does not end in the number of KEYS that the script uses.
 */
export function script(base: string, file: string): RedisScript {
  const path = fileURLToPath(new URL(file, base));
  const source = readFileSync(path, 'utf8');
  const name = basename(path, '.lua');
  const ending = /-(\d+)$/.exec(name);
  if (ending === null)
    throw new Error(`${path}: the name must end in the number of KEYS, such as open-4.lua`);
  const keys = Number(ending[1]);
  checkKeys(path, source, keys);
  return Object.freeze({ name, source, sha: createHash('sha1').update(source).digest('hex'), keys });
}

function checkKeys(path: string, source: string, keys: number): void {
  const code = source.replace(/--\[\[[\s\S]*?\]\]|--[^\n]*/g, '');
  const used = [...code.matchAll(/\bKEYS\s*\[\s*(\d+)\s*\]/g)].map((match) => Number(match[1]));
  const highest = Math.max(0, ...used);
  // KEYS may also be walked through: then the name is only an upper bound for what is written out.
  const walked = /\bKEYS\b(?!\s*\[\s*\d+\s*\])/.test(code);
  if (highest > keys || (highest < keys && !walked)) {
    throw new Error(`${path}: named for ${keys} KEYS, but it uses ${highest}`);
  }
}
