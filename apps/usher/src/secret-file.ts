import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The secret of an Usher that was given none: `<data>/secret`, made once, for its owner's eyes only. Several processes
 * that start at once agree on one. Rejects where the folder cannot be written.
 */
export async function ownSecret(data: string): Promise<string> {
  const file = join(data, 'secret');
  await mkdir(data, { recursive: true, mode: 0o700 });
  try {
    await writeFile(file, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const secret = (await readFile(file, 'utf8')).trim();
  if (secret.length < 16)
    throw new Error(`${file} holds less than 16 characters; remove it, and one is made`);
  return secret;
}
