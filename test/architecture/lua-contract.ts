/** What is wrong with a Lua file, a sentence each. `…-parts.lua` is put in front of scripts and has no KEYS of its own. */
export function contractViolations(path: string, text: string): string[] {
  const contract = leadingComment(text);
  if (contract === '')
    return [`${path}: a contract stands on top: what it does, KEYS, ARGV, what it returns`];
  const code = text.slice(contract.length).replace(/--.*/g, '');
  if (path.endsWith('-parts.lua')) return [];
  const keys = Number(/-(\d+)\.lua$/.exec(path)?.[1] ?? Number.NaN);
  if (Number.isNaN(keys)) return [`${path}: its name ends in its number of KEYS`];
  const wrong: string[] = [];
  const documented = numbersOf(contract.split('ARGV')[0] ?? '');
  if (documented.join() !== Array.from({ length: keys }, (_, i) => i + 1).join()) {
    wrong.push(`${path}: its name says ${keys} KEYS, its contract names ${documented.join(', ') || 'none'}`);
  }
  const used = Math.max(0, ...Array.from(code.matchAll(/KEYS\[(\d+)\]/g), ([, index]) => Number(index)));
  if (used > keys) wrong.push(`${path}: it uses KEYS[${used}]`);
  if (/\bARGV\b/.test(code) && !/\bARGV\b/.test(contract)) wrong.push(`${path}: its ARGV are not described`);
  if (!/\bReturns\b/.test(contract)) wrong.push(`${path}: what it returns is not described`);
  return wrong;
}

function leadingComment(text: string): string {
  return /^--\[\[[\s\S]*?\]\]/.exec(text)?.[0] ?? /^(--.*\n)+/.exec(text)?.[0] ?? '';
}

/** Of `KEYS[1] …`, or of `KEYS  1 …  2 …`: each once, ascending. */
function numbersOf(text: string): number[] {
  const bracketed = Array.from(text.matchAll(/KEYS\[(\d+)\]/g), ([, index]) => Number(index));
  const listed = /KEYS {2}(?=\d)[\s\S]*/.exec(text)?.[0] ?? '';
  const plain = Array.from(listed.matchAll(/(?: {2}|^ +)(\d+) (?=\w)/gm), ([, index]) => Number(index));
  return [...new Set([...bracketed, ...plain])].sort((a, b) => a - b);
}
