const decoded = (path: string): string =>
  path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** `.` and `..` as RFC 3986 removes them; what leads out at the top stays there. */
function climbed(path: string): string {
  const left: string[] = [];
  const pieces = path.split('/').slice(1);
  for (const piece of pieces) {
    if (piece === '..') left.pop();
    else if (piece !== '.') left.push(piece);
  }
  if (/^\.\.?$/.test(pieces.at(-1) ?? '')) left.push('');
  return `/${left.join('/')}`;
}

const merged = (path: string): string => path.replace(/\/{2,}/g, '/');
const slashed = (path: string): string => path.replaceAll('\\', '/');
const undotted = (path: string): string => path.replace(/\/(\.\.?);[^/]*/g, '/$1');
const unmarked = (path: string): string => path.replace(/[?#].*$/s, '');
const ended = (path: string): string => path.replace(/\0.*$/s, '');

/** What servers make of a path, one step after the other. */
const HABITS: readonly (readonly ((path: string) => string)[])[] = [
  // nginx, Apache: decoded, merged, climbed.
  [decoded, merged, climbed],
  [decoded, climbed, merged],
  // As it stands: stores of objects, most small servers.
  [],
  [decoded],
  [merged],
  // Climbed before it is decoded: many proxies in front of others.
  [climbed],
  [climbed, decoded],
  [merged, climbed, decoded],
  // Decoded twice: one server behind another.
  [decoded, climbed, decoded, climbed],
  [decoded, decoded, merged, climbed],
  // Windows.
  [decoded, slashed, merged, climbed],
  [slashed, climbed],
  // Servers of Java take parameters of dots away.
  [undotted, decoded, climbed],
  [decoded, undotted, climbed],
  // Escaped marks that begin a query for whoever is asked next.
  [decoded, unmarked, climbed],
  // C: the text ends there.
  [decoded, ended, climbed],
];

/** All the paths that one may be taken for, by those that stand behind a proxy or are the server itself. */
export function readings(target: string): readonly string[] {
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  return [...new Set(HABITS.map((steps) => steps.reduce((text, step) => step(text), path)))];
}
