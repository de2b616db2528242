import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from './load-config.js';
import { maskConfig } from './mask.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'usher-canaries-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

function load(canaries: string, env: Record<string, string> = {}) {
  const backend = `backends:\n  portal:\n    type: http\n    url: http://portal.example.com\n`;
  writeFileSync(join(cwd, 'usher.yaml'), `${backend}${canaries === '' ? '' : `    canaries: ${canaries}\n`}`);
  return loadConfig({ argv: {}, env, cwd }).config;
}

describe('backends.*.canaries', () => {
  it('are none where the operator gives none', () => {
    expect(load('').backends['portal']!.canaries).toBeUndefined();
  });

  it('may be one or both, each minute where it is not said, and their queries are never shown', () => {
    const config = load('{ deny: { query: token=hunter2, ip: 192.0.2.1 } }');
    expect(config.backends['portal']!.canaries).toEqual({
      every: 60_000,
      deny: {
        query: 'token=hunter2',
        channel: '',
        ip: '192.0.2.1',
        path: '',
        host: '',
        userAgent: 'Usher',
      },
    });
    const shown = JSON.stringify(maskConfig(config));
    expect(shown).toContain('192.0.2.1');
    expect(shown).not.toContain('hunter2');
  });

  it('may come from the environment, the query from a file', () => {
    writeFileSync(join(cwd, 'query'), 'token=hunter2\n');
    const config = load('', { USHER_BACKENDS__PORTAL__CANARIES_ALLOW_QUERY_FILE: join(cwd, 'query') });
    expect(config.backends['portal']!.canaries?.allow).toMatchObject({ query: 'token=hunter2' });
  });

  it.each([
    ['{ every: 5s }', /allow, deny, or both/],
    ['{ every: 10ms, deny: {} }', /at least 1s/],
    ['{ deny: { query: "?token=hunter2" } }', /what stands behind the \?/],
    ['{ deny: { query: "token=hunter2 x" } }', /no white space/],
    ['{ deny: { ip: here } }', /an IP address, such as/],
    ['{ deny: { token: hunter2 } }', /unknown key/],
  ])('say what is wrong with them: %s', (canaries, sentence) => {
    expect(() => load(canaries)).toThrow(sentence);
    try {
      load(canaries);
    } catch (error) {
      expect(String(error)).not.toContain('hunter2');
    }
  });
});
