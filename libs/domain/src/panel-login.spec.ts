import fc from 'fast-check';
import { panelLogin } from './panel-login.js';

const ANNA = { user: 'anna', password: 's3cret' };

describe('the login of an Xtream panel’s viewer', () => {
  it.each([
    '/live/anna/s3cret/17.ts',
    '/live/anna/s3cret/17.m3u8',
    '/live/anna/s3cret/17',
    '//live//anna/s3cret//17.ts',
    '/movie/anna/s3cret/55.mp4',
    '/series/anna/s3cret/55.mkv',
    '/timeshift/anna/s3cret/60/2026-11-24:10-00/17.ts',
    '/hls/anna/s3cret/17/0a1b2c/17_903.ts',
    'live/anna/s3cret/17.ts',
    '/hls/anna/s3cret/17',
    '/timeshift/anna/s3cret/60/2026-11-24:10-00/17',
    '/anna/s3cret/17',
    'anna/s3cret/17',
    '/anna/s3cret/17.ts',
    '/tv/live/anna/s3cret/17.ts',
    '/%61nna/s3cret/17.ts',
    '/live/anna/%733cret/17.ts',
    '/live/anna/s3cret/sports.m3u8',
    '/live/anna/s3cret/17.ts?username=bob&password=b',
  ])('stands in the path %s', (path) => {
    expect(panelLogin({ path, query: '' })).toEqual(ANNA);
    expect(panelLogin({ path, query: 'token=1' })).toEqual(ANNA);
  });

  it.each([
    'username=anna&password=s3cret',
    'a=1&password=s3cret&username=anna&x',
    'username=%61nna&password=s3cret',
  ])('else stands in the query %s', (query) => {
    for (const path of ['', '/', '/play/a001/index.m3u8', '/hls/a001/17.ts', '/play/a001/17.ts']) {
      expect(panelLogin({ path, query })).toEqual(ANNA);
    }
    expect(panelLogin({ path: '/live/tv/a001/index.m3u8', query })).toEqual(ANNA);
  });

  it.each<[string, object | undefined]>([
    ['Basic YW5uYTpzM2NyZXQ=', ANNA],
    ['basic  YW5uYTpzM2NyZXQ=', ANNA],
    ['Basic YW5uYTpzM2NyZXQ6', { user: 'anna', password: 's3cret:' }],
    ['Basic YW5uYQ==', undefined],
    ['Basic OnMzY3JldA==', undefined],
    ['Basic YW5uYTo=', undefined],
    ['Basic ', undefined],
    ['Bearer YW5uYTpzM2NyZXQ=', undefined],
  ])('else is the player’s authorization %j: %j', (authorization, login) => {
    expect(panelLogin({ path: 'a001', query: 'token=1', authorization })).toEqual(login);
    expect(panelLogin({ path: '/bob/b/17', query: '', authorization })).toEqual({
      user: 'bob',
      password: 'b',
    });
  });

  it('that of the path counts where both are there', () => {
    expect(panelLogin({ path: '/live/anna/s3cret/17.ts', query: 'username=bob&password=b' })).toEqual(ANNA);
  });

  it.each([
    ['', ''],
    ['/play/a001/index.m3u8', 'token=1'],
    ['/live/anna/17.ts', ''],
    ['/live//17.ts', ''],
    ['/', 'username=anna'],
    ['/', 'username=anna&password='],
    ['/', 'username=&password=s3cret'],
    ['/play/anna/17.ts', ''],
    ['/a/b/c/17.ts', ''],
  ])('is neither in %j nor in %j', (path, query) => {
    expect(panelLogin({ path, query })).toBeUndefined();
  });

  it('is decoded byte for byte, each as its place says', () => {
    expect(panelLogin({ path: '/live/a+b/p%2Fq%26r%zz%/17.ts', query: '' })).toEqual({
      user: 'a+b',
      password: 'p/q&r%zz%',
    });
    expect(panelLogin({ path: '/', query: 'username=a+b%2B&password=%d0%96%00' })).toEqual({
      user: 'a b+',
      password: '\xd0\x96\0',
    });
  });

  it('is found again, whatever its bytes', () => {
    const byte = fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code));
    const name = fc.string({ unit: byte, minLength: 1, maxLength: 40 });
    const escaped = (text: string): string =>
      text.replace(/[^A-Za-z0-9]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
    fc.assert(
      fc.property(name, name, (user, password) => {
        const login = { user, password };
        expect(panelLogin({ path: `/live/${escaped(user)}/${escaped(password)}/1.ts`, query: '' })).toEqual(
          login,
        );
        expect(
          panelLogin({ path: '/', query: `username=${escaped(user)}&password=${escaped(password)}` }),
        ).toEqual(login);
      }),
    );
  });
});
