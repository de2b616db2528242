import fc from 'fast-check';
import { maskedPath } from './masked-path.js';
import { panelLogin } from './panel-login.js';

const TOKEN = 'c2VjcmV0IGFuZCBsb25nIGVub3VnaCB0byBiZSBvbmU';

describe('a path as it is kept and shown', () => {
  it.each([
    ['/live/anna/s3cret/17.ts', '/live/anna/***/17.ts'],
    ['/live/anna/s3cret/17', '/live/anna/***/17'],
    ['/live/anna/s3cret/17.m3u8?a=s3cret', '/live/anna/***/17.m3u8'],
    ['/tv/live/anna/s3cret/17.ts', '/tv/live/anna/***/17.ts'],
    ['//live//anna/s3cret//17.ts', '//live//anna/***//17.ts'],
    ['/movie/anna/s3cret/55.mp4', '/movie/anna/***/55.mp4'],
    ['/series/anna/s3cret/55.mkv', '/series/anna/***/55.mkv'],
    ['/timeshift/anna/s3cret/60/2026-11-24:10-00/17.ts', '/timeshift/anna/***/60/2026-11-24:10-00/17.ts'],
    ['/timeshift/anna/s3cret/60', '/timeshift/anna/***/60'],
    ['/hls/anna/s3cret/17/t0ken/17_903.ts', '/hls/anna/***/17/***/17_903.ts'],
    ['/hls/anna/s3cret/17', '/hls/anna/***/17'],
    ['live/anna/s3cret/17', 'live/anna/***/17'],
    ['anna/s3cret/17', 'anna/***/17'],
    ['/anna/s3cret/17', '/anna/***/17'],
    ['/anna/s3cret/17.ts', '/anna/***/17.ts'],
    ['/live/anna/s3cret/sports.m3u8', '/live/anna/***/sports.m3u8'],
    ['/live/s3cret/s3cret/17.ts', '/live/s3cret/***/17.ts'],
    [`/play/${TOKEN}/ts`, '/play/***/ts'],
    [`/hls/${TOKEN}/17_903.ts`, '/hls/***/17_903.ts'],
  ])('%s is %s', (path, shown) => {
    expect(maskedPath(path)).toBe(shown);
  });

  it.each([
    '',
    '/',
    '/play/a001/index.m3u8',
    '/play/a001/17.ts',
    '/hls/a001/17.ts',
    '/hls/a001/index.m3u8',
    '/a001/index.m3u8',
    '/a001/tracks-v1a1/mono.m3u8',
    '/a001/2026/11/24/10/00/00-06000.ts',
    '/live/a001/index.m3u8',
    '/live/a001.m3u8',
    '/udp/239.255.0.1:1234',
  ])('%s stays as it is', (path) => {
    expect(maskedPath(path)).toBe(path);
  });

  it('has no query', () => {
    expect(maskedPath('/play/a001/index.m3u8?token=s3cret')).toBe('/play/a001/index.m3u8');
  });

  it('has no password, wherever one is found', () => {
    const part = fc.string({ unit: fc.constantFrom('a', '7', '.', '%', '+', '%2f', '-', 'é'), minLength: 1 });
    const before = fc.constantFrom('', '/live', '/movie', '/series', '/x/live', '/timeshift');
    const behind = fc.constantFrom('/1', '/1.ts', '/60/now/1.ts', '/a.ts', '/1/b.ts');
    fc.assert(
      fc.property(before, part, behind, (start, user, end) => {
        const path = `${start}/${user}/S3CRET${end}`;
        if (panelLogin({ path, query: '' })?.password === 'S3CRET')
          expect(maskedPath(path)).not.toContain('S3CRET');
      }),
    );
  });

  it('is soon made, however long and odd', () => {
    for (const bite of ['/', '/live', '/live/a', '/a', '/hls/1', '/timeshift/1/2/3', 'a']) {
      const path = bite.repeat(20_000);
      expect(maskedPath(path).length).toBeLessThanOrEqual(path.length + 6);
    }
  });
});
