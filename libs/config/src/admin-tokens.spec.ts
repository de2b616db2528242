import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from './load-config.js';
import { maskConfig } from './mask.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'usher-tokens-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

function load(text: string, env: Record<string, string> = {}) {
  writeFileSync(join(cwd, 'usher.yaml'), text);
  return loadConfig({ argv: {}, env, cwd }).config;
}
const tokens = (...list: string[]): string =>
  `control:\n  tokens:\n${list.map((one) => `    - ${one}\n`).join('')}`;
const ONE = '{ name: anna, role: operator, token: a-token-of-anna-alone }';

describe('control.tokens', () => {
  it('name who may ask; a role is observer where it is not said; secrets are never shown', () => {
    const config = load(tokens(ONE, '{ name: watcher, token: a-token-of-the-watcher }'));
    expect(config.control.tokens).toEqual([
      { name: 'anna', role: 'operator', token: 'a-token-of-anna-alone' },
      { name: 'watcher', role: 'observer', token: 'a-token-of-the-watcher' },
    ]);
    const shown = JSON.stringify(maskConfig(config));
    expect(shown).toContain('watcher');
    expect(shown).not.toContain('a-token-of');
  });

  it('come from the environment too', () => {
    const config = load('', {
      USHER_CONTROL_TOKENS: '[{name: a, role: observer, token: sixteen-letters-and-more}]',
    });
    expect(config.control.tokens).toHaveLength(1);
  });

  it.each([
    [[ONE, '{ name: anna, token: another-token-of-anna }'], /"anna" is there twice/],
    [[ONE, '{ name: b, token: a-token-of-anna-alone }'], /somebody else has the same token/],
    [['{ name: admin, token: a-token-of-the-admin }'], /"admin" is the holder of data\/admin-token/],
    [['{ name: a, token: short }'], /16 to 256 letters/],
    [['{ name: a, role: root, token: a-token-of-anna-alone }'], /observer, operator/],
  ])('say what is wrong with them: %j', (list, sentence) => {
    expect(() => load(tokens(...list))).toThrow(sentence);
    try {
      load(tokens(...list));
    } catch (error) {
      expect(String(error)).not.toContain('a-token-of');
    }
  });
});
