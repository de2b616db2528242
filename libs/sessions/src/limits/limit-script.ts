import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisScript } from '#usher/redis';

const PARTS = `${readLua('../registry/lua/session-parts.lua')}\n${readLua('lua/limit-parts.lua')}`;

/** A script of ours behind the parts that it shares with others. Its name ends in its number of KEYS. */
export function limitScript(name: string, keys: number): RedisScript {
  if (!name.endsWith(`-${keys}`))
    throw new Error(`${name}: the name must end in the number of KEYS, ${keys}`);
  const source = `${PARTS}\n${readLua(`lua/${name}.lua`)}`;
  return Object.freeze({ name, source, sha: createHash('sha1').update(source).digest('hex'), keys });
}

function readLua(file: string): string {
  return readFileSync(new URL(`./${file}`, import.meta.url), 'utf8');
}
