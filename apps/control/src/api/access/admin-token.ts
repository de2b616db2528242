import { randomBytes } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface AdminToken {
  readonly token: string;
  readonly file: string;
  /** Others than its owner may read the file. */
  readonly exposed: boolean;
}

const LEAST = 16;

/**
 * The admin token: `<data>/admin-token`, made at the first start, for its owner's eyes only. Several processes that
 * start at once agree on one. Rejects with a sentence where the file cannot be made or used.
 */
export async function adminToken(data: string): Promise<AdminToken> {
  const file = join(data, 'admin-token');
  try {
    await mkdir(data, { recursive: true, mode: 0o700 });
    await makeFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`${file} cannot be made (${code}): set data`, { cause: error });
  }
  const [token, { mode }] = [await written(file), await stat(file)];
  if (!/^[\x21-\x7e]+$/.test(token) || token.length < LEAST) {
    throw new Error(`${file} holds no token of ${LEAST} characters or more; remove it, and one is made`);
  }
  return { token, file, exposed: (mode & 0o077) !== 0 };
}

async function makeFile(file: string): Promise<void> {
  try {
    await writeFile(file, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Another process may have made the file and not filled it yet. */
async function written(file: string): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const text = (await readFile(file, 'utf8')).trim();
    if (text !== '' || tries === 20) return text;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
