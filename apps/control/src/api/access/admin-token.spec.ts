import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adminToken } from './admin-token.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'usher-admin-token-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the admin token', () => {
  it('is made once, for its owner only, and several starts agree on it', async () => {
    const data = join(folder, 'data');
    const made = await Promise.all(Array.from({ length: 8 }, () => adminToken(data)));
    expect(new Set(made.map(({ token }) => token)).size).toBe(1);
    expect(made[0]).toMatchObject({ file: join(data, 'admin-token'), exposed: false });
    expect(made[0]!.token.length).toBeGreaterThanOrEqual(43);
    expect((await stat(made[0]!.file)).mode & 0o777).toBe(0o600);
    expect((await adminToken(join(folder, 'other'))).token).not.toBe(made[0]!.token);
  });

  it('may be one of your own; who lets others read it is told', async () => {
    const file = join(folder, 'admin-token');
    await writeFile(file, 'one-of-your-own-choice\n');
    await chmod(file, 0o644);
    expect(await adminToken(folder)).toEqual({ token: 'one-of-your-own-choice', file, exposed: true });
  });

  it.each(['\n', 'short', 'with spaces within its length'])(
    'is refused where it is none: %j',
    async (text) => {
      await writeFile(join(folder, 'admin-token'), text);
      await expect(adminToken(folder)).rejects.toThrow(/admin-token holds no token of 16 characters/);
    },
  );

  it('names the file and the setting where it cannot be made', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(adminToken(join(folder, 'file'))).rejects.toThrow(
      /file\/admin-token cannot be made .*: set data/,
    );
  });
});
