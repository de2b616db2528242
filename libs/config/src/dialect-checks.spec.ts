import { dialectProblems } from './dialect-checks.js';
import { maskConfig } from './mask.js';
import { configSchema } from './schema.js';

const configOf = (edge: object) => configSchema.parse({ edges: { e: edge } });

describe('an edge of dialect ome', () => {
  it('without the key that signs its questions is a problem of the configuration', () => {
    expect(dialectProblems(configOf({ dialect: 'ome' }))).toEqual([
      { path: ['edges', 'e', 'ome', 'secret'], message: expect.stringMatching(/SecretKey/) },
    ]);
    expect(dialectProblems(configOf({ dialect: 'ome', ome: { secret: 's' } }))).toEqual([]);
    expect(dialectProblems(configOf({ dialect: 'srs' }))).toEqual([]);
  });

  it.each([{ secret: '' }, { secret: 'x'.repeat(257) }, { realip: 'trusted' }, { realIp: 'yes' }])(
    'is refused with %j',
    (ome) => {
      expect(configSchema.safeParse({ edges: { e: { dialect: 'ome', ome } } }).success).toBe(false);
    },
  );

  it('never shows its key', () => {
    const shown = JSON.stringify(maskConfig(configOf({ dialect: 'ome', ome: { secret: 'very-secret' } })));
    expect(shown).not.toContain('very-secret');
  });
});
