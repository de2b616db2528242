import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { configSchema } from '#usher/config';
import { maskedPath, panelLogin } from '#usher/domain';
import { isPlain, Places } from './place.js';
import { PathPatterns } from './path-patterns.js';

const USUAL = configSchema.parse({ edges: { any: {} } }).edges['any']!.forward.paths;
const usual = new Places(USUAL);
/** As docs/dialects/forward.md has them. */
const documented = new Places(documentedForPanels());

describe('by the usual patterns', () => {
  it.each([
    ['/play/a001', 'a001', '/play/a001'],
    ['/play/a001/index.m3u8', 'a001', '/play/a001'],
    ['/play/a001.m3u8', 'a001', '/play/a001'],
    ['/live/sport/hd/seg-1.ts', 'sport', '/live/sport'],
    ['/live/sport/', 'sport', '/live/sport'],
    ['/hls/sport-1.m3u8', 'sport-1', '/hls/sport-1'],
    ['/hls/sport-1-22.ts', 'sport-1', '/hls/sport-1'],
    ['/hls/sport-1/22.ts', 'sport-1', '/hls/sport-1'],
    ['/dash/news-init.m4v', 'news', '/dash/news'],
    ['/dash/news-5.m4a', 'news', '/dash/news'],
    ['/news/video.mp4', 'news', '/news'],
    ['/news/', 'news', '/news'],
    [
      '/live/%D0%9A1/x.ts',
      Buffer.from('К1').toString('latin1'),
      `/live/${Buffer.from('К1').toString('latin1')}`,
    ],
    ['/live/a%20b/x.ts', 'a b', '/live/a b'],
    ['//live//sport///x.ts', 'sport', '/live/sport'],
    ['/live/sport/hd/../x.ts', 'sport', '/live/sport'],
    ['/live/sport/./x.ts', 'sport', '/live/sport'],
    ['/live/%73port/%2e%2e%2e/x.ts', 'sport', '/live/sport'],
  ])('%s is of channel %s', (path, channel, part) => {
    expect(usual.of(path)).toEqual({ channel, path: part, isFound: true });
  });

  it.each([
    ['/a.ts', '/'],
    ['/', '/'],
    ['/sport', '/'],
  ])('none fits %s, and its folder stands in', (path, folder) => {
    expect(usual.of(path)).toEqual({ channel: folder, path: folder, isFound: false });
  });

  it.each([
    '',
    'live/sport/x.ts',
    '*',
    'http://other/live/sport/x.ts',
    '/live/../../x.ts',
    '/live/sport/../film/x.ts',
    '/live/sport/%2e%2e/film/x.ts',
    '/live/./../live/film/x.ts',
    '/live/sport%2ffilm/x.ts',
    '/live/sport/..%2Ffilm/x.ts',
    '/live/sport/..\\film/x.ts',
    '/live/sport/..%5cfilm/x.ts',
    '/live/sport/x.ts%00',
    '/live/sport%0a/x.ts',
    '/live/sport\u0000/x.ts',
    '/live/sp ort/x.ts',
    '/live/sport#/x.ts',
    '/live/sport%23/x.ts',
    '/live/sport%3f/x.ts',
    '/live/sport/%252e%252e/film/x.ts',
    '/live/sport/..;/film/x.ts',
    '/live/sport/..;a=b/film/x.ts',
    '/live/sport/%zz/x.ts',
    '/live/sport/%4',
    `/live/${'x'.repeat(257)}/x.ts`,
  ])('%j leads nowhere', (path) => {
    expect(usual.of(path)).toBeUndefined();
  });
});

describe('patterns of one’s own', () => {
  it.each([
    [['/live/*/*/{channel}.ts'], '/live/anna/secret/12.ts', '12', '/live/anna/secret/12'],
    [['/hls/{channel}_*-{number}.ts', '/hls/{channel}-{number}.ts'], '/hls/a_b_720-5.ts', 'a_b', '/hls/a_b'],
    [['/hls/{channel}_*-{number}.ts', '/hls/{channel}-{number}.ts'], '/hls/a-5.ts', 'a', '/hls/a'],
    [['/v{number}/{channel}/**'], '/v2/a/x', 'a', '/v2/a'],
    [
      ['/канал/{channel}/**'],
      `/${encodeURI('канал')}/a/x`,
      'a',
      `/${Buffer.from('канал').toString('latin1')}/a`,
    ],
    [['/x{channel}y/**'], '/xay/1', 'a', '/xa'],
  ])('%j in %s', (patterns, path, channel, part) => {
    expect(new Places(patterns).of(path)).toEqual({ channel, path: part, isFound: true });
  });

  describe('of an Xtream panel, where none fits: nobody’s password is in the channel', () => {
    const panel = new Places(['/live/*/*/{channel}.ts']);
    it.each([
      ['/live/anna/secret/12.m3u8', '/live/anna/***', '/live/anna/secret'],
      ['/live/anna/secret/12', '/live/anna/***', '/live/anna/secret'],
      ['/live/anna/secret/x/y.m3u8', '/live/anna/***/x', '/live/anna/secret/x'],
      ['/movie/anna/secret/1.mp4', '/movie/anna/***', '/movie/anna/secret'],
      ['/series/anna/secret/1.mkv', '/series/anna/***', '/series/anna/secret'],
      [
        '/timeshift/anna/secret/60/2026-01-01:10-00/12.ts',
        '/timeshift/anna/***/60/2026-01-01:10-00',
        '/timeshift/anna/secret/60/2026-01-01:10-00',
      ],
      ['/hls/anna/secret/12', '/hls/anna/***', '/hls/anna/secret'],
      ['/anna/secret/12.ts', '/anna/***', '/anna/secret'],
      ['/live/anna/s%65cret/12.m3u8', '/live/anna/***', '/live/anna/secret'],
    ])('%s', (path, channel, folder) => {
      const place = panel.of(path)!;
      expect(place).toEqual({ channel, path: folder, isFound: false, login: path.replace('%65', 'e') });
      expect(panelLogin({ path: place.login!, query: '' })).toEqual({ user: 'anna', password: 'secret' });
      expect(maskedPath(place.login!)).not.toContain('secret');
    });

    it('nor in the path, where no login is read out of it', () => {
      expect(panel.of('/anna/secret/logo.png')).toEqual({
        channel: '/anna/***',
        path: '/anna/secret',
        isFound: false,
        login: '/anna/***',
      });
    });

    it('other folders are their own channels', () => {
      expect(panel.of('/vod/a.mp4')).toEqual({ channel: '/vod', path: '/vod', isFound: false });
      expect(new Places(['/play/{channel}/**']).of('/live/tv/a001/1.ts')).toEqual({
        channel: '/live/tv/a001',
        path: '/live/tv/a001',
        isFound: false,
      });
    });
  });

  it.each([
    ['/live/anna/secret/12.ts', '12', '/live/anna/secret/12'],
    ['/live/anna/secret/12.m3u8', '12', '/live/anna/secret/12'],
    ['/live/anna/secret/12_345.ts', '12', '/live/anna/secret/12'],
    ['/live/anna/secret/12', '12', '/live/anna/secret/12'],
    ['/hls/anna/secret/12/0123456789abcdef0123456789abcdef/12_345.ts', '12', '/hls/anna/secret/12'],
    ['/movie/anna/secret/7.mp4', '7', '/movie/anna/secret/7'],
    ['/series/anna/secret/8.mkv', '8', '/series/anna/secret/8'],
    [
      '/timeshift/anna/secret/60/2026-01-01:10-00/12.ts',
      '12',
      '/timeshift/anna/secret/60/2026-01-01:10-00/12',
    ],
    ['/anna/secret/12.ts', '12', '/anna/secret/12'],
    ['/anna/secret/12', '12', '/anna/secret/12'],
  ])('as documented for Xtream panels %s is of channel %s', (path, channel, part) => {
    expect(documented.of(path)).toEqual({ channel, path: part, isFound: true });
    expect(panelLogin({ path: part, query: '' })).toEqual({ user: 'anna', password: 'secret' });
    expect(maskedPath(part)).not.toContain('secret');
  });

  it.each([
    [['/hls/{channel}-{number}.ts'], '/hls/a-.ts'],
    [['/hls/{channel}-{number}.ts'], '/hls/-5.ts'],
    [['/hls/{channel}-{number}.ts'], '/hls/a-5x.ts'],
    [['/hls/{channel}-{number}.ts'], '/hls/a-5.ts/b'],
    [['/hls/{channel}_*.ts'], '/hls/a_.ts'],
    [['/hls/{channel}/**'], '/hls/a'],
    [['/x{channel}y/**'], '/xy/1'],
    [['/v{number}/{channel}/**'], '/vx/a/x'],
    [['/{channel}'], `/a${'/b'.repeat(40)}`],
    [[`${'/a'.repeat(32)}/{channel}`], `${'/a'.repeat(32)}/b`],
  ])('%j does not fit %s', (patterns, path) => {
    expect(new Places(patterns).of(path)?.isFound).toBe(false);
  });

  it.each([
    'live/{channel}',
    '/live',
    '/{channel}/{channel}',
    '/{channel}{number}',
    '/*{channel}',
    '/a**/{channel}',
    '/**/{channel}',
    '/{chanel}/**',
    '/../{channel}',
    '/a b/{channel}',
    '/a?{channel}',
    '/{channel}//**',
  ])('%j is refused by the configuration', (pattern) => {
    const given = { edges: { any: { forward: { paths: [pattern] } } } };
    expect(configSchema.safeParse(given).success).toBe(false);
  });

  it('mean what regular expressions of the same meaning do', () => {
    const word = fc.string({ unit: fc.constantFrom('a', '1', '-', '_', '.'), minLength: 1, maxLength: 8 });
    const patterns: [string, RegExp][] = [
      ['/h/{channel}-{number}.ts', /^\/h\/([^/]+)-[0-9]+\.ts$/],
      ['/h/{channel}_*-{number}', /^\/h\/([^/]+)_[^/]+-[0-9]+$/],
      ['/{channel}.a/**', /^\/([^/]+)\.a\/.*$/],
      ['/*-a/{channel}', /^\/[^/]+-a\/([^/]+)$/],
    ];
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(...patterns),
        (words, [pattern, same]) => {
          for (const path of [`/${words.join('/')}`, `/h/${words.join('-')}.ts`, `/h/${words.join('_')}-1`]) {
            const found = new PathPatterns([pattern]);
            const channel = found.find(path) ? path.slice(found.from, found.to) : undefined;
            expect(channel).toBe(same.exec(path)?.[1]);
          }
        },
      ),
    );
  });
});

/** How servers read a path; each is one that there is. */
const SERVERS: Readonly<Record<string, (path: string) => string>> = {
  'to the letter': (path) => path,
  'as nginx': (path) => resolved(merged(decoded(path))),
  'resolved before it is decoded': (path) => decoded(resolved(path)),
  'without merging': (path) => resolved(decoded(path)),
  'decoded twice': (path) => resolved(merged(decoded(decoded(path)))),
  'with backslashes for slashes': (path) => resolved(merged(decoded(path).replaceAll('\\', '/'))),
  'with parameters of pieces': (path) => resolved(merged(decoded(path.replace(/;[^/]*/g, '')))),
  'cut at a NUL': (path) => resolved(merged(decoded(path).split('\0')[0]!)),
  'cut at a hash': (path) => resolved(merged(decoded(path).split('#')[0]!)),
};
const decoded = (path: string): string =>
  path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
const merged = (path: string): string => path.replace(/\/+/g, '/');
function resolved(path: string): string {
  const left: string[] = [];
  for (const piece of path.slice(1).split('/')) {
    if (piece === '..') left.pop();
    else if (piece !== '.') left.push(piece);
  }
  return `/${left.join('/')}`;
}

describe('whatever a viewer asks for', () => {
  const piece = fc.constantFrom(
    // prettier-ignore
    'a',
    'b',
    'live',
    'x.ts',
    '..',
    '.',
    '',
    '%2e%2e',
    '.%2E',
    '%2f',
    '..%2f',
    '%5c',
    '\\',
    '%00',
    '#',
    ';',
    '..;',
    // prettier-ignore
    '%25',
    '%252e',
    '2e',
    '%61',
    '%2561',
    '?',
    '%3f',
    ' ',
    '%',
    'a;b',
    '\u00e9',
  );
  const path = fc
    .array(fc.tuple(piece, fc.constantFrom('/', '/', '/', '')), { maxLength: 8 })
    .map((pieces) => `/live/${pieces.map((pair) => pair.join('')).join('')}`);
  const places = new Places(['/live/{channel}/**', '/hls/{channel}-{number}.ts']);

  it.each(Object.keys(SERVERS))(
    'a server that reads it %s plays the channel that was asked about',
    (name) => {
      fc.assert(
        fc.property(path, (asked) => {
          const place = places.of(asked);
          if (place === undefined || !place.isFound) return;
          const played = /^\/live\/([^/]+)\//.exec(merged(SERVERS[name]!(asked)))?.[1];
          // Nothing, or a file whose name is spelt in escapes: none of another channel.
          if (played === undefined) return;
          expect({ asked, played: decoded(played) }).toEqual({ asked, played: place.channel });
        }),
        { numRuns: 2_000 },
      );
    },
  );

  it('what is plain is read in one way only', () => {
    fc.assert(
      fc.property(path, (asked) => {
        if (!isPlain(asked)) return;
        for (const [name, read] of Object.entries(SERVERS)) {
          expect({ name, path: read(asked) }).toEqual({ name, path: asked });
        }
      }),
    );
  });
});

/** The list below `edges:` in the part about Xtream panels. */
function documentedForPanels(): string[] {
  const page = readFileSync('docs/dialects/forward.md', 'utf8');
  const [, list = ''] = /### Xtream panels[\s\S]*?paths:\n((?: +- .*\n)+)/.exec(page) ?? [];
  return Array.from(list.matchAll(/'([^']+)'/g), ([, pattern = '']) => pattern);
}
