import { createHmac, randomBytes } from 'node:crypto';

/**
 * A digest under a key that only this process has, and only as long as it runs: secrets are found in tables by it, so
 * that neither the table nor the time that a look takes tells anything of them.
 */
export class SecretDigest {
  readonly #key = randomBytes(32);

  of(...parts: readonly (string | Buffer)[]): string {
    const hmac = createHmac('sha256', this.#key);
    for (const part of parts) {
      const bytes = typeof part === 'string' ? Buffer.from(part, 'latin1') : part;
      hmac.update(`${bytes.length}:`).update(bytes);
    }
    return hmac.digest('base64');
  }
}
