import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { exampleFile } from './example.js';
import { loadConfig } from './load-config.js';
import { maskConfig } from './mask.js';
import { withSettings } from './settings-table.js';
import { shapeOf } from './shape.js';
import { configSchema } from './schema.js';

const top = (name: string): string => readFileSync(name, 'utf8');

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'usher-documents-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

function load(text: string) {
  writeFileSync(join(cwd, 'usher.yaml'), text);
  return loadConfig({ env: {}, cwd }).config;
}

describe('the documented example', () => {
  it('is current: npm run docs:config', () => {
    expect(top('usher.example.yaml')).toBe(exampleFile());
  });

  it('loads as it is, with all defaults', () => {
    const { gateway, backends } = load(exampleFile());
    expect(gateway).toEqual(load('').gateway);
    expect(Object.keys(backends)).toEqual(['portal', 'billing']);
  });

  it('loads with every setting uncommented, and the defaults that it shows are the defaults', () => {
    writeFileSync(join(cwd, 'ca.pem'), '');
    const config = load(exampleFile().replace(/^(\s*)#(?=\w+: )/gm, '$1'));
    const plain = load(exampleFile());
    expect(config.gateway).toEqual(plain.gateway);
    expect(config.health).toEqual(plain.health);
    expect(config.log).toEqual(plain.log);
    expect(config.backends.portal!.breaker).toEqual(plain.backends.billing!.breaker);
    expect(config.backends.portal!.guard).toEqual(plain.backends.billing!.guard);
    for (const key of shapeOf(shapeOf(configSchema).keys.get('redis')!).keys.keys()) {
      expect(config.redis).toHaveProperty(key);
    }
  });
});

describe('the page of settings', () => {
  it('is current: npm run docs:config', () => {
    expect(withSettings(top('docs/configuration.md'))).toBe(top('docs/configuration.md'));
  });

  it('needs its place', () => {
    expect(() => withSettings('no marks')).toThrow('no <!-- settings');
  });
});

describe('maskConfig', () => {
  it('shows everything but secrets and what addresses hide', () => {
    const shown = JSON.stringify(
      maskConfig(
        load(`secret: [hunter2hunter2hunter2]
redis: { cluster: true, url: "redis://hunter2:hunter2@a:1,redis://b:2" }
edges: { a: { secret: hunter2hunter2, control: { url: http://c/, user: me, password: hunter2 } } }
backends: { p: { type: http, url: "http://u:hunter2@h/check?key=hunter2", device: mac } }
webhooks: [{ name: w, url: "http://u:hunter2@w/", secret: hunter2hunter2hunter2 }]`),
      ),
    );
    expect(shown).not.toContain('hunter2');
    for (const plain of [
      '"device":"mac"',
      '"user":"me"',
      'http://c/',
      '@a:1,redis://b:2',
      '@h/check?key=***',
    ]) {
      expect(shown).toContain(plain);
    }
  });

  it('shows what would load again as it was', () => {
    // But for secrets.
    const example = exampleFile()
      .replace('password: change me', "password: ''")
      .replace('query: token=nobody-has-this-one', "query: ''");
    const config = load(example.replace(/^webhooks:\n.*\n/m, ''));
    const shown = load(stringify(maskConfig(config)));
    expect(shown).toEqual(config);
  });
});
