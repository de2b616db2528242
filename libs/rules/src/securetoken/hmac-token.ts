import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Usher's own securetoken, `u1~mac~end~start~user~salt`. The mac is the HMAC-SHA-256, in hexadecimal, of these lines:
 *
 *     u1
 *     <address, or nothing>
 *     <start>
 *     <end>
 *     <user, or nothing>
 *     <salt, or nothing>
 *     <channel's id; where the edge names none, its path>
 *
 * with a line feed between them and none at the end; instants in Unix seconds. Only the last can hold any byte, so no
 * two lists of facts have one text.
 */
export interface HmacToken {
  readonly mac: Buffer;
  readonly start: string;
  readonly end: string;
  readonly user: string;
  readonly salt: string;
}

const FORM = /^u1~([0-9a-f]{64})~(\d{1,11})~(\d{1,11})~([A-Za-z0-9._@-]{0,64})~([A-Za-z0-9._-]{0,64})$/;

/** Whether it means to be one: then it is nobody else's. */
export function looksLikeHmacToken(text: string): boolean {
  return text.startsWith('u1~');
}

/** Undefined: it is not written as one is. */
export function readHmacToken(text: string): HmacToken | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, mac = '', end = '', start = '', user = '', salt = ''] = match;
  return { mac: Buffer.from(mac, 'hex'), start, end, user, salt };
}

/** Whether it was made for this subject and address with this secret. Byte strings. */
export function isHmacToken(token: HmacToken, subject: string, ip: string, secret: string): boolean {
  if (ip.includes('\n')) return false;
  const { start, end, user, salt, mac } = token;
  const made = createHmac('sha256', Buffer.from(secret, 'latin1'))
    .update(['u1', ip, start, end, user, salt, subject].join('\n'), 'latin1')
    .digest();
  return timingSafeEqual(made, mac);
}
