import { configSchema } from '#usher/config';
import { compileRoutes, type Routed } from './routes.js';

const BACKENDS = {
  a: { type: 'http', url: 'http://a.example.com' },
  b: { type: 'http', url: 'http://b.example.com' },
};

function routing(...routes: object[]) {
  const routeOf = compileRoutes(configSchema.parse({ backends: BACKENDS, routes }));
  const facts = { edge: 'astra-1', channel: 'a001', path: '/play/a001', host: 'tv.example.com', query: '' };
  return (part: Partial<Routed> = {}) => routeOf({ ...facts, ...part });
}

describe('a check that no route matches', () => {
  it('is our own gap', () => {
    expect(routing({ match: { channel: 'b*' }, backend: 'a' })()).toMatchObject({
      isGap: true,
      overload: undefined,
    });
  });

  it.each<[string, object, Partial<Routed>]>([
    ['host', { host: '*.example.com' }, { host: 'nowhere' }],
    ['query', { query: { token: '^[0-9a-f]{32}$' } }, { query: 'token=zzz' }],
    ['query and channel', { channel: 'a*', query: { token: true } }, { query: 'nothing=1' }],
  ])('because of the viewer’s own words, his %s, lets nobody in on trust', (_, match, words) => {
    expect(routing({ match, backend: 'a' })(words)).toMatchObject({ isGap: true, overload: 'deny' });
  });
});

describe('a public path', () => {
  const route = routing(
    { match: { path: '/promo/' }, access: 'public' },
    { match: { path: '/free/**' }, access: 'public' },
    { backend: 'a' },
  );

  it.each(['/promo/one.m3u8', '/free/x/one.m3u8', '/promo/.hidden/a..b/...'])('%s is public', (path) => {
    expect(route({ path }).target).toBeUndefined();
  });

  it.each([
    '/promo/../play/a001/index.m3u8',
    '/promo/..',
    '/free/./../play/x.m3u8',
    '/promo/%2e%2E/play/x.m3u8',
    '/promo/..%2Fplay/x.m3u8',
    '/promo\\..\\play',
    '/promo/..\\play/x.m3u8',
    '/promo/%252e%252e/play/x.m3u8',
    '/promo/..;/play/x.m3u8',
  ])('is not left by %s', (path) => {
    expect(route({ path }).target).toBe('a');
    const only = routing({ match: { path: '/promo/' }, access: 'public' });
    expect(only({ path })).toMatchObject({ isGap: true });
  });

  it('or a public channel that is named by the path lets nobody in on trust who climbs out of it', () => {
    const only = routing({ match: { channel: 'promo' }, access: 'public' });
    expect(only({ channel: 'promo', path: '/promo/x.m3u8' })).not.toHaveProperty('isGap');
    expect(only({ channel: 'promo', path: '/promo/../play/x.m3u8' })).toMatchObject({ overload: 'deny' });
  });
});

it('a viewer’s long words keep no pattern busy', () => {
  const route = routing(
    { match: { host: '*a*a*a*a*b' }, backend: 'b' },
    { match: { path: '/*a*a*a*b' }, backend: 'b' },
    { backend: 'a' },
  );
  const startedAt = performance.now();
  expect(route({ host: 'a'.repeat(8_000), path: `/${'a'.repeat(8_000)}` }).target).toBe('a');
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});
