import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/**
 * The key that a secret stands for: `whsec_` and base64, or any other text as it is.
 * @throws {Error} on `whsec_` without base64 behind it.
 */
export function signingKey(secret: string): Buffer {
  if (!secret.startsWith(PREFIX)) return Buffer.from(secret, 'utf8');
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  if (key.length < 16)
    throw new Error(`a secret that begins with ${PREFIX} goes on with base64 of 16 bytes or more`);
  return key;
}

/** What a delivery's headers say of it. */
export interface Signed {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
}

/**
 * Headers of Standard Webhooks 1.0.0 (github.com/standard-webhooks, spec/standard-webhooks.md): HMAC-SHA256 over
 * `<id>.<timestamp>.<body>`, one signature for each key. `at`: of this try, ms.
 */
export function sign(keys: readonly Buffer[], id: string, at: number, body: string): Signed {
  const timestamp = String(Math.floor(at / 1_000));
  const signatures = keys.map((key) => {
    const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
    return `v1,${signature}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}
