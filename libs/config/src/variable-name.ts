/**
 * Names of edges, backends and groups within the name of a variable: a lower-case letter is written as a capital, `-`
 * as `_`, anything else (a capital, `.`, `@`, `_`, a `-` that has no letter or digit on both sides) as `_x` and its two
 * hexadecimal digits. The small x stands nowhere else and no `__` arises, so each name has one writing and each writing one name.
 */
export function encodeName(name: string): string {
  let written = '';
  for (let at = 0; at < name.length; at++) {
    const letter = name[at]!;
    if (/[a-z0-9]/.test(letter)) written += letter.toUpperCase();
    else if (letter === '-' && isPlain(name[at - 1]) && isPlain(name[at + 1])) written += '_';
    else written += `_x${letter.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return written;
}

const isPlain = (letter: string | undefined): boolean => letter !== undefined && /[a-z0-9]/.test(letter);

/** The name that is written so; undefined if it is no writing of a name. */
export function decodeName(written: string): string | undefined {
  const name = written.replace(/_x([0-9A-F]{2})|[A-Z_]/g, (part, code: string | undefined) => {
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    return part === '_' ? '-' : part.toLowerCase();
  });
  return name !== '' && encodeName(name) === written ? name : undefined;
}
