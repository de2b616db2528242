import { configSchema } from '#usher/config';
import type { Check } from '#usher/domain';
import { credentialOf, identify, traitsOf, type Unidentified } from './traits.js';

const traits = traitsOf(
  configSchema.parse({
    backends: {
      panel: { type: 'xtream', url: 'http://panel.example.com' },
      portal: { type: 'ministra', url: 'http://portal.example.com' },
      billing: { type: 'http', url: 'http://billing.example.com', credentialParameter: 'key' },
    },
    routes: [{ backend: 'portal' }],
  }),
);
const of = (parts: Partial<Check>, ...backends: string[]): string =>
  credentialOf(
    { path: '', query: '', ...parts },
    backends.map((name) => traits.get(name)),
  );

describe('what a viewer shows', () => {
  it('to a panel is his login, wherever and however it is written', () => {
    const login = of({ path: '/live/anna/s3cret/17.ts' }, 'panel');
    for (const parts of [
      { path: '/live/anna/s3cret/18.m3u8' },
      { path: '/hls/anna/s3cret/17/t0ken/17_2.ts' },
      { path: '/%61nna/s3cret/17', query: 'x=1' },
      { query: 'password=s3cret&username=anna' },
    ]) {
      expect(of(parts, 'panel')).toBe(login);
    }
  });

  it('to a panel is not another’s login, nor what is written like it', () => {
    const all = [
      '/live/an/nas3cret/1.ts',
      '/live/anna/s3cret/1.ts',
      '/live/a%6enas/3cret/1.ts',
      '/live/anna%2Fs3cret/x/1',
    ];
    expect(new Set(all.map((path) => of({ path }, 'panel'))).size).toBe(all.length);
  });

  it('without a login is his query', () => {
    expect(of({ path: '/play/a001', query: 'token=1' }, 'panel')).toBe('token=1');
  });

  it('to others is what they say they go by, else all', () => {
    const parts = { path: '/live/anna/s3cret/17.ts', query: 'a=1&key=2' };
    expect(of(parts, 'portal')).toBe('a=1&key=2');
    expect(of(parts, 'billing')).toBe('2');
    expect(of({ ...parts, query: 'key=' }, 'billing')).toBe('key=');
    expect(of({ ...parts, token: 't' }, 'portal')).toBe('t');
    expect(of({ query: 'x=1&token=%74', token: 't' }, 'portal')).toBe('t');
    expect(of(parts)).toBe('a=1&key=2');
  });

  it('is not another’s, where one token is named apart and another one stands in the query', () => {
    const none = { authorization: 'Bearer undefined', token: 'undefined' };
    const [anna, bob] = [of({ ...none, query: 'token=anna' }), of({ ...none, query: 'token=bob' })];
    expect(new Set([anna, bob, of({ ...none, query: '' })]).size).toBe(3);
  });

  it('to a group is what its first member with a say goes by', () => {
    const parts = { path: '/live/anna/s3cret/17.ts', query: 'key=2' };
    expect(of(parts, 'portal', 'panel', 'billing')).toBe(of(parts, 'panel'));
    expect(of(parts, 'portal', 'billing', 'panel')).toBe('2');
  });

  it('makes two accounts behind one address two viewers, though neither has a query', () => {
    const facts = { ...FACTS, path: '/live/anna/s3cret/17.ts' };
    const route = { backends: ['panel'] } as unknown as Parameters<typeof identify>[2];
    const fingerprint = (path: string): string =>
      identify({ ...facts, path }, '', route, traits).identity.fingerprint;
    expect(fingerprint('/live/anna/s3cret/17.m3u8')).toBe(fingerprint('/live/anna/s3cret/17.ts'));
    expect(fingerprint('/live/bob/s3cret/17.ts')).not.toBe(fingerprint('/live/anna/s3cret/17.ts'));
  });
});

const FACTS: Unidentified = {
  id: 'check-1',
  dialect: 'astra',
  edge: 'astra-1',
  channel: '17',
  ip: '192.0.2.7',
  path: '',
  userAgent: 'VLC/3',
  host: '',
  origin: '',
  query: '',
};
