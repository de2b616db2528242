import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * Astra's and Alta's securetoken, `sha1hex-salt-end-start`: the SHA-1 of what it is for (the channel's id, or its path),
 * address, start, end, secret and salt, one after the other; instants in Unix seconds (Cesbo's documentation).
 * UNVERIFIED: that the address is hashed as X-Real-IP has it, and whether a token without an address can be made there.
 */
export interface Sha1Token {
  readonly hash: Buffer;
  readonly salt: string;
  readonly start: string;
  readonly end: string;
}

const FORM = /^([0-9a-f]{40})-(.{0,128})-(\d{1,20})-(\d{1,20})$/is;

/** Undefined: this is another kind of token. */
export function readSha1Token(text: string): Sha1Token | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, hash = '', salt = '', end = '', start = ''] = match;
  return { hash: Buffer.from(hash, 'hex'), salt, start, end };
}

/**
 * The parts are hashed without anything between them. So start and end have ten digits each, or who has a token could
 * move digits from one to the other and have one that ends in a hundred years.
 */
export function hasWholeTimes({ start, end }: Sha1Token): boolean {
  return /^[1-9]\d{9}$/.test(start) && /^[1-9]\d{9}$/.test(end);
}

/** Whether it was made for this subject and address with this secret. Byte strings. */
export function isSha1Token(token: Sha1Token, subject: string, ip: string, secret: string): boolean {
  const { start, end, salt, hash } = token;
  const made = createHash('sha1').update(`${subject}${ip}${start}${end}${secret}${salt}`, 'latin1').digest();
  return timingSafeEqual(made, hash);
}
