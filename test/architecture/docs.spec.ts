import { REASONS } from '#usher/domain';
import { METRICS } from '#usher/observe';
import { code, filesNamedIn, linksOf, tableRows } from './documents.js';
import { isThere, projectFiles, readProjectFile } from './project-files.js';

const documents = [
  { path: 'README.md', text: readProjectFile('README.md') },
  ...projectFiles(['docs'], '.md'),
  ...projectFiles(['libs'], 'README.md'),
];

describe('the documents', () => {
  it('lead to files that are there', () => {
    const links = documents.flatMap(({ path, text }) => linksOf(path, text));
    expect(links).toContain('docs/architecture.md');
    expect(links.filter((link) => !isThere(link))).toEqual([]);
  });

  it('name files that are there', () => {
    const named = documents.flatMap(({ text }) => filesNamedIn(text));
    expect(named).toContain('libs/decisions/src/ladder.ts');
    expect(named.filter((path) => !isThere(path))).toEqual([]);
  });

  it('explain each reason, and no other, in the words that Usher shows', () => {
    const rows = tableRows(readProjectFile('docs/reasons.md'));
    const explained = Object.fromEntries(rows.map(([name = '', meaning = '']) => [name, meaning]));
    const expected = Object.entries(REASONS).map(([name, sentence]) => [code(name), sentence]);
    expect(explained).toEqual(Object.fromEntries(expected));
    expect(rows).toHaveLength(expected.length);
    expect(rows.filter(([, , remedy]) => remedy === undefined || remedy === '')).toEqual([]);
  });

  it('use reasons that are there', () => {
    const used = documents.flatMap(({ text }) =>
      Array.from(text.matchAll(/^(?:\| `|reason: )((?:backend|refused|overload|bulkhead)-[a-z]+)\b/gm)).map(
        ([, reason = '']) => reason,
      ),
    );
    expect(used.length).toBeGreaterThan(10);
    expect(used.filter((reason) => !Object.hasOwn(REASONS, reason))).toEqual([]);
  });

  it('describe each metric as the catalogue does, and no other', () => {
    const text = readProjectFile('docs/operations.md');
    const table = /<!-- metrics[\s\S]*<!-- \/metrics -->/.exec(text)?.[0] ?? '';
    const expected = Object.values(METRICS).map(({ name, kind, labels, help }) => [
      code(name),
      kind,
      labels.map(code).join(', '),
      help,
    ]);
    expect(tableRows(table)).toEqual(expected);
  });

  it('use metrics that are there, with labels that they have', () => {
    const defined = new Map(Object.values(METRICS).map(({ name, labels }) => [name as string, labels]));
    const wrong = documents.flatMap(({ text }) =>
      Array.from(text.matchAll(/\b(usher_[a-z_]+?)(_bucket|_sum|_count)?\b(?:\{([a-z]+)=)?/g))
        .filter(([whole, name = '', , label]) => {
          const labels: readonly string[] | undefined =
            defined.get(whole.split('{')[0]!) ?? defined.get(name);
          return labels === undefined || (label !== undefined && !labels.includes(label));
        })
        .map(([whole]) => whole),
    );
    expect(wrong).toEqual([]);
  });

  it('describe every kind of key that code puts into Redis', () => {
    const text = readProjectFile('docs/redis.md');
    const kinds = new Set(
      [...projectFiles(['libs'], '.ts'), ...projectFiles(['libs'], '.lua')]
        .filter(({ path }) => !/\.spec\.ts$|\/for-tests\.ts$|^libs\/testing\//.test(path))
        .flatMap(({ text: source }) =>
          Array.from(source.matchAll(/\busher:([a-z]+)\b/g), ([, kind = '']) => kind),
        ),
    );
    expect(kinds).toContain('session');
    expect([...kinds].filter((kind) => !text.includes(`usher:${kind}`))).toEqual([]);
  });

  it('list every file with an assumption', () => {
    const listed = filesNamedIn(readProjectFile('docs/unverified.md'));
    const marked = [...projectFiles(['libs', 'apps'], '.ts')].filter(({ text }) =>
      text.includes('UNVERIFIED'),
    );
    expect(marked.length).toBeGreaterThan(5);
    expect(marked.map(({ path }) => path).filter((path) => !listed.includes(path))).toEqual([]);
  });
});

describe('how documents are read', () => {
  it('finds the rows of tables, and only these', () => {
    expect(tableRows('| a | b |\n| --- | --- |\n| `x\\|y` | 2 |\n\ntext | text\n| c |\n| - |\n')).toEqual([
      ['`x|y`', '2'],
    ]);
  });

  it('finds where links lead', () => {
    expect(
      linksOf('docs/a.md', '[b](b.md#c) [up](../README.md) [web](https://x.example) [here](#d)'),
    ).toEqual(['docs/b.md', 'README.md']);
  });

  it('spells names of files out', () => {
    expect(filesNamedIn('`libs/a/{b,c}.ts` `libs/d` `other/e.ts`')).toEqual([
      'libs/a/b.ts',
      'libs/a/c.ts',
      'libs/d',
    ]);
  });
});
