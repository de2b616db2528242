import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownSecret } from './secret-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'usher-secret-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the secret of an Usher that was given none', () => {
  it('is made once, for its owner only, and stays', async () => {
    const data = join(folder, 'data');
    const secret = await ownSecret(data);
    expect(secret.length).toBeGreaterThanOrEqual(43);
    expect(await ownSecret(data)).toBe(secret);
    expect((await stat(join(data, 'secret'))).mode & 0o777).toBe(0o600);
    expect((await stat(data)).mode & 0o777).toBe(0o700);
    expect(await readFile(join(data, 'secret'), 'utf8')).toBe(`${secret}\n`);
  });

  it('differs from any other', async () => {
    expect(await ownSecret(join(folder, 'a'))).not.toBe(await ownSecret(join(folder, 'b')));
  });

  it('is refused where the file was emptied', async () => {
    await writeFile(join(folder, 'secret'), '\n');
    await expect(ownSecret(folder)).rejects.toThrow('holds less than 16 characters');
  });
});
