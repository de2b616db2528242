import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Whether this is the body's X-OME-Signature: base64url without padding of HMAC-SHA1 over the bytes as they came
 * (OvenMediaEngine, admission_webhooks.cpp).
 */
export function isSignedWith(secret: string, body: Buffer, signature: string): boolean {
  const expected = createHmac('sha1', Buffer.from(secret, 'utf8')).update(body).digest('base64url');
  const given = Buffer.from(signature.replace(/=+$/, ''), 'latin1');
  const wanted = Buffer.from(expected, 'latin1');
  // Their length is no secret.
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
