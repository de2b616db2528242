import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { script } from './script.js';

const folder = mkdtempSync(join(tmpdir(), 'usher-lua-'));
const caller = pathToFileURL(join(folder, 'caller.js')).href;
afterAll(() => rmSync(folder, { recursive: true }));

function lua(file: string, source: string) {
  writeFileSync(join(folder, file), source);
  return script(caller, `./${file}`);
}

describe('script', () => {
  it('reads the file beside its caller and names it', () => {
    const source = '-- KEYS[1] one, KEYS[2] two\nreturn {KEYS[1], KEYS[2]}';
    const sha = createHash('sha1').update(source).digest('hex');
    expect(lua('pair-2.lua', source)).toEqual({ name: 'pair-2', source, sha, keys: 2 });
  });

  it('refuses a name that does not say how many KEYS there are', () => {
    expect(() => lua('nameless.lua', 'return 1')).toThrow('must end in the number of KEYS');
  });

  it('refuses a name that says it wrongly, and comments do not count', () => {
    expect(() => lua('more-3.lua', '-- KEYS[3]\n--[[ KEYS[3] ]]\nreturn KEYS[2]')).toThrow(
      '3 KEYS, but it uses 2',
    );
    expect(() => lua('less-1.lua', 'return {KEYS[1], KEYS[2]}')).toThrow('1 KEYS, but it uses 2');
    expect(lua('none-0.lua', 'return 1').keys).toBe(0);
  });

  it('lets a script walk through its KEYS', () => {
    expect(lua('walk-4.lua', 'for i = 1, #KEYS do redis.call("DEL", KEYS[i]) end').keys).toBe(4);
  });
});
