/** Cells of every row of the tables in a Markdown text, without head and rule. A `\|` is no border. */
export function tableRows(markdown: string): string[][] {
  const rows: string[][] = [];
  let inTable = false;
  for (const line of markdown.split('\n')) {
    const isRow = /^\s*\|.*\|\s*$/.test(line);
    if (isRow && inTable && !/^[\s|:-]+$/.test(line)) rows.push(cellsOf(line));
    inTable = isRow;
  }
  return rows;
}

function cellsOf(line: string): string[] {
  const cells = line
    .trim()
    .slice(1, -1)
    .split(/(?<!\\)\|/);
  return cells.map((cell) => cell.trim().replaceAll('\\|', '|'));
}

export function code(text: string): string {
  return `\`${text}\``;
}

/** Where a document's relative links lead, from the root of the project; parts of a page left out. */
export function linksOf(path: string, markdown: string): string[] {
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
  return Array.from(markdown.matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link.split('#')[0] ?? '')
    .filter((link) => link !== '' && !/^[a-z]+:/.test(link))
    .map((link) => new URL(link, `file:///${folder === '' ? '' : `${folder}/`}`).pathname.slice(1));
}

/** Names of files of ours that a document mentions in code: `libs/…/x.ts`, with `{a,b}` spelled out. */
export function filesNamedIn(markdown: string): string[] {
  return Array.from(markdown.matchAll(/`((?:apps|libs|test|docs|deploy)\/[\w./{},-]+)`/g)).flatMap(
    ([, name = '']) => {
      const braces = /^(.*)\{(.*)\}(.*)$/.exec(name);
      if (braces === null) return [name];
      const [, before = '', inside = '', after = ''] = braces;
      return inside.split(',').map((each) => `${before}${each}${after}`);
    },
  );
}
