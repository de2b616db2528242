import { createHmac, timingSafeEqual } from 'node:crypto';

/** Of 20 bytes. OvenMediaEngine leaves it out. */
const PADDING = '=';

/**
 * Whether this is the body's X-OME-Signature: base64url without padding of HMAC-SHA1 over the bytes as they came
 * (OvenMediaEngine, admission_webhooks.cpp).
 */
export function isSignedWith(secret: string, body: Buffer, signature: string): boolean {
  const expected = createHmac('sha1', Buffer.from(secret, 'utf8')).update(body).digest('base64url');
  // Their length is no secret: what is longer is not even looked at.
  if (signature.length > expected.length + PADDING.length) return false;
  const bare = signature.endsWith(PADDING) ? signature.slice(0, -PADDING.length) : signature;
  const given = Buffer.from(bare, 'latin1');
  const wanted = Buffer.from(expected, 'latin1');
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
