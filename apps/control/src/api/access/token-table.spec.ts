import { TokenTable } from './token-table.js';

const anna = { name: 'anna', role: 'operator', token: 'a-token-of-anna-alone' } as const;
const watcher = { name: 'watcher', role: 'observer', token: 'a-token-of-the-watcher' } as const;

describe('the table of tokens', () => {
  it('knows whose a token is, and nothing near it', () => {
    const table = new TokenTable([anna, watcher]);
    expect(table.find(anna.token)).toEqual({ name: 'anna', role: 'operator' });
    expect(table.find(watcher.token)).toEqual({ name: 'watcher', role: 'observer' });
    for (const other of ['', 'a-token-of-anna-alon', `${anna.token} `, anna.token.toUpperCase()]) {
      expect(table.find(other)).toBeUndefined();
    }
  });

  it('keeps no token', () => {
    expect(JSON.stringify(new TokenTable([anna]))).not.toContain(anna.token);
  });

  it('refuses two of one name or token, and nobody at all', () => {
    expect(() => new TokenTable([anna, { ...watcher, name: 'anna' }])).toThrow('two have the same name');
    expect(() => new TokenTable([anna, { ...watcher, token: anna.token }])).toThrow(
      'two have the same token',
    );
    expect(() => new TokenTable([])).toThrow('nobody could ask');
  });
});
