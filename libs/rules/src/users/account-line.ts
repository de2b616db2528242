import { createHash, randomBytes, scryptSync } from 'node:crypto';
import { parseAccount } from '#usher/config';

/** 16 MiB, and some 30 ms of a core (measured). */
const COST = { ln: 14, r: 8, p: 1 };
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const MAX_PASSWORD = 256;
/** A digest is quick to make: a shorter token could be found by trying. */
const LEAST_TOKEN = 20;

export interface AccountLine {
  readonly name: string;
  /** The password, or the static token. */
  readonly secret: string;
  readonly kind: 'password' | 'token';
  /** So many devices at once, as it was written. */
  readonly max?: string;
}

/**
 * The line for a login or a static token, as `rules.users` reads it.
 * @throws RangeError where name or secret cannot be used
 */
export function accountLine({ name, secret, kind, max }: AccountLine): string {
  const length = Buffer.byteLength(secret);
  if (length === 0 || length > MAX_PASSWORD)
    throw new RangeError(`a password has 1 to ${MAX_PASSWORD} bytes`);
  if (kind === 'token' && length < LEAST_TOKEN) {
    throw new RangeError(
      `a token has at least ${LEAST_TOKEN} characters: a shorter one can be found by trying`,
    );
  }
  const line = `${name}:${kind === 'token' ? tokenHash(secret) : passwordHash(secret)}`;
  if (!isAccount(line)) throw new RangeError('a name has 1 to 64 characters, no white space and no colon');
  const capped = max === undefined ? line : `${line} max=${max}`;
  if (!isAccount(capped)) throw new RangeError('so many devices at once: 1 to 250');
  return capped;
}

function isAccount(line: string): boolean {
  try {
    parseAccount(line);
    return true;
  } catch {
    return false;
  }
}

function tokenHash(token: string): string {
  return `$sha256$${base64(createHash('sha256').update(token).digest())}`;
}

function passwordHash(password: string): string {
  const { ln, r, p } = COST;
  const salt = randomBytes(SALT_BYTES);
  const key = scryptSync(password, salt, KEY_BYTES, { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r });
  return `$scrypt$ln=${ln},r=${r},p=${p}$${base64(salt)}$${base64(key)}`;
}

const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
