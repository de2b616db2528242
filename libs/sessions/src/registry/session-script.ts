import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisScript } from '#usher/redis';

const PARTS = readLua('session-parts.lua');

/** A script of ours behind the parts that all of them share (session-parts.lua). Its name ends in its number of KEYS. */
export function sessionScript(name: string): RedisScript {
  const keys = Number(/-(\d)$/.exec(name)?.[1] ?? Number.NaN);
  if (Number.isNaN(keys)) throw new Error(`${name}: the name must end in the number of KEYS`);
  const source = `${PARTS}\n${readLua(`${name}.lua`)}`;
  return Object.freeze({ name, source, sha: createHash('sha1').update(source).digest('hex'), keys });
}

function readLua(file: string): string {
  return readFileSync(new URL(`./lua/${file}`, import.meta.url), 'utf8');
}
